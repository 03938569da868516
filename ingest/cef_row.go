package ingest

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const cefTable = "CommonSecurityLog"

// The columns of CommonSecurityLog that are not of a key, in the order of [origin.cefRow].
const (
	cefTimeGenerated = iota
	cefVendor
	cefProduct
	cefDeviceVersion
	cefClass
	cefActivity
	cefSeverity
	cefAdditional
	cefRemoteIP
	cefRemotePort
	cefSimplified
	cefComputer
	cefSourceSystem
	cefCollector
	cefType
	cefFixed // how many there are
)

// A cefKind is how a value becomes that of a column.
type cefKind uint8

const (
	cefText   cefKind = iota
	cefInt            // an int: 32 bits
	cefLong           // a long: 64 bits
	cefReal           // a real
	cefMoment         // a datetime
	cefBoth           // a long, and in the column before it an int if it fits
	cefID             // text, and in the column before it an int if it is one
)

// A cefColumn is where the value of a key goes.
type cefColumn struct {
	at   int
	kind cefKind
}

// cefColumns are the columns of CommonSecurityLog that rows fill, and cefKeys
// where keys go; they are in small letters, since devices do not agree on others.
var cefColumns, cefKeys = cefLayout()

// cefLayout is the mapping of Microsoft's page "CEF and CommonSecurityLog field
// mapping", with the columns that were added in 2023: ExtID, EventOutcome,
// Reason, DeviceEventCategory and FieldDeviceCustomNumber1 to 3. The int columns
// that those replace are filled, too, for queries that are older.
func cefLayout() (columns []string, keys map[string]cefColumn) {
	columns = []string{
		"TimeGenerated", "DeviceVendor", "DeviceProduct", "DeviceVersion", "DeviceEventClassID", "Activity", "LogSeverity",
		"AdditionalExtensions", "RemoteIP", "RemotePort", "SimplifiedDeviceAction", "Computer", "SourceSystem", "CollectorHostName", "Type",
	}
	keys = map[string]cefColumn{}
	add := func(kind cefKind, pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			columns = append(columns, pairs[i+1])
			keys[strings.ToLower(pairs[i])] = cefColumn{len(columns) - 1, kind}
		}
	}
	add(cefText,
		"act", "DeviceAction", "app", "ApplicationProtocol", "cat", "DeviceEventCategory",
		"destinationDnsDomain", "DestinationDnsDomain", "destinationServiceName", "DestinationServiceName",
		"destinationTranslatedAddress", "DestinationTranslatedAddress", "deviceDirection", "CommunicationDirection",
		"deviceDnsDomain", "DeviceDnsDomain", "deviceExternalId", "DeviceExternalID", "deviceFacility", "DeviceFacility",
		"deviceInboundInterface", "DeviceInboundInterface", "deviceNtDomain", "DeviceNtDomain",
		"deviceOutboundInterface", "DeviceOutboundInterface", "devicePayloadId", "DevicePayloadId",
		"deviceProcessName", "ProcessName", "deviceTranslatedAddress", "DeviceTranslatedAddress",
		"dhost", "DestinationHostName", "dmac", "DestinationMACAddress", "dntdom", "DestinationNTDomain",
		"dpriv", "DestinationUserPrivileges", "dproc", "DestinationProcessName", "dst", "DestinationIP", "dtz", "DeviceTimeZone",
		"duid", "DestinationUserID", "duser", "DestinationUserName",
		"dvc", "DeviceAddress", "dvchost", "DeviceName", "dvcmac", "DeviceMacAddress",
		"fileCreateTime", "FileCreateTime", "fileHash", "FileHash", "fileId", "FileID", "fileModificationTime", "FileModificationTime",
		"filePath", "FilePath", "filePermission", "FilePermission", "fileType", "FileType", "fname", "FileName", "msg", "Message",
		"oldFileCreateTime", "OldFileCreateTime", "oldFileHash", "OldFileHash", "oldFileId", "OldFileID",
		"oldFileModificationTime", "OldFileModificationTime", "oldFileName", "OldFileName", "oldFilePath", "OldFilePath",
		"oldFilePermission", "OldFilePermission", "oldFileType", "OldFileType",
		"outcome", "EventOutcome", "proto", "Protocol", "reason", "Reason",
		"request", "RequestURL", "requestClientApplication", "RequestClientApplication", "requestContext", "RequestContext",
		"requestCookies", "RequestCookies", "requestMethod", "RequestMethod", "rt", "ReceiptTime",
		"shost", "SourceHostName", "smac", "SourceMACAddress", "sntdom", "SourceNTDomain", "sourceDnsDomain", "SourceDnsDomain",
		"sourceServiceName", "SourceServiceName", "sourceTranslatedAddress", "SourceTranslatedAddress",
		"spriv", "SourceUserPrivileges", "sproc", "SourceProcessName", "src", "SourceIP", "suid", "SourceUserID", "suser", "SourceUserName",
	)
	add(cefInt,
		"cnt", "EventCount", "destinationTranslatedPort", "DestinationTranslatedPort", "dpid", "DestinationProcessId",
		"dpt", "DestinationPort", "dvcpid", "ProcessID", "fsize", "FileSize", "oldFileSize", "OldFileSize",
		"sourceTranslatedPort", "SourceTranslatedPort", "spid", "SourceProcessId", "spt", "SourcePort", "type", "EventType",
	)
	add(cefLong, "in", "ReceivedBytes", "out", "SentBytes")
	add(cefMoment, "start", "StartTime", "end", "EndTime")
	columns = append(columns, "ExternalID")
	add(cefID, "externalId", "ExtID")
	custom := func(kind cefKind, most int, key, column string) {
		for i := 1; i <= most; i++ {
			n := strconv.Itoa(i)
			if kind == cefBoth {
				columns = append(columns, column+n)
				add(kind, key+n, "Field"+column+n)
			} else {
				add(kind, key+n, column+n)
			}
			add(cefText, key+n+"Label", column+n+"Label")
		}
	}
	custom(cefText, 6, "cs", "DeviceCustomString")
	custom(cefBoth, 3, "cn", "DeviceCustomNumber")
	custom(cefReal, 4, "cfp", "DeviceCustomFloatingPoint")
	custom(cefText, 4, "c6a", "DeviceCustomIPv6Address")
	custom(cefText, 2, "deviceCustomDate", "DeviceCustomDate")
	custom(cefText, 2, "flexString", "FlexString")
	custom(cefInt, 2, "flexNumber", "FlexNumber")
	custom(cefText, 1, "flexDate", "FlexDate")
	return columns, keys
}

// cefRow returns an event as a row of CommonSecurityLog. computer is the host of
// the syslog header. Times without a zone are in loc.
//
// TimeGenerated is the time of receipt, as [origin.row] has it; what the device
// says of time is in ReceiptTime, StartTime and EndTime. What has no column, or
// is not of its type, or comes a second time, is in AdditionalExtensions: nothing is lost.
func (o *origin) cefRow(e *CEF, computer string, received time.Time, loc *time.Location) []any {
	row := make([]any, len(cefColumns))
	row[cefTimeGenerated] = received
	row[cefVendor], row[cefProduct], row[cefDeviceVersion] = e.Vendor, e.Product, e.Version
	row[cefClass], row[cefActivity], row[cefSeverity] = e.Class, e.Name, e.Severity
	row[cefComputer] = o.host
	if computer != "" {
		row[cefComputer] = computer
	}
	row[cefSourceSystem], row[cefCollector], row[cefType] = "OpsManager", o.collector, cefTable
	additional := []byte(e.Rest)
	for key, value := range e.Extensions() {
		c, ok := cefKey(key)
		if ok && c.set(row, value, received, loc) {
			continue
		}
		if len(additional) > 0 {
			additional = append(additional, ';')
		}
		additional = append(additional, key...)
		additional = append(additional, '=')
		additional = append(additional, value...)
	}
	if len(additional) > 0 {
		row[cefAdditional] = string(additional)
	}
	enrichCEF(row)
	return row
}

// cefKey returns where the value of a key goes, however it is capitalised.
func cefKey(key string) (cefColumn, bool) {
	var small [32]byte // the longest that is known has 28 letters
	if len(key) > len(small) {
		return cefColumn{}, false
	}
	for i := range len(key) {
		c := key[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		small[i] = c
	}
	column, ok := cefKeys[string(small[:len(key)])]
	return column, ok
}

// set puts a value into the row and returns false if it does not fit or the
// place is taken. An empty value is none.
func (c cefColumn) set(row []any, value string, now time.Time, loc *time.Location) bool {
	if row[c.at] != nil {
		return false
	}
	if value == "" {
		return true
	}
	switch c.kind {
	case cefText:
		row[c.at] = value
	case cefInt:
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return false
		}
		row[c.at] = int32(n)
	case cefLong, cefBoth:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return false
		}
		row[c.at] = n
		if c.kind == cefBoth && n >= math.MinInt32 && n <= math.MaxInt32 {
			row[c.at-1] = int32(n)
		}
	case cefReal:
		x, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
		row[c.at] = x
	case cefMoment:
		t, ok := cefTime(value, now, loc)
		if !ok {
			return false
		}
		row[c.at] = t
	case cefID:
		row[c.at] = value
		if n, err := strconv.ParseInt(value, 10, 32); err == nil {
			row[c.at-1] = int32(n)
		}
	}
	return true
}

// cefTime reads a time as the format has it, milliseconds since 1970 or "MMM dd
// yyyy HH:mm:ss" with liberties, and what devices send beside it: ISO 8601, and
// seconds, micro- and nanoseconds, told apart by their size.
func cefTime(s string, now time.Time, loc *time.Location) (t time.Time, ok bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		switch {
		case n < 0:
			return t, false
		case n < 1e11: // in seconds, until the year 5138
			t = time.Unix(n, 0)
		case n < 1e14:
			t = time.UnixMilli(n)
		case n < 1e17:
			t = time.UnixMicro(n)
		default:
			t = time.Unix(0, n)
		}
		return t.UTC(), t.Year() <= lastYear
	}
	t, rest, _, ok := timestamp(s, now, loc)
	// A time zone that has only a name, other than UTC, may be several.
	return t, ok && (rest == "" || rest == " UTC" || rest == " GMT")
}

// enrichCEF fills the columns that Sentinel derives from others ("Additional
// enrichment fields" of the page).
func enrichCEF(row []any) {
	column := func(key string) any { return row[cefKeys[key].at] }
	var ip, port any
	switch direction, _ := column("devicedirection").(string); {
	case direction == "0", strings.EqualFold(direction, "inbound"):
		ip, port = column("src"), column("spt")
	case direction == "1", strings.EqualFold(direction, "outbound"):
		ip, port = column("dst"), column("dpt")
	}
	row[cefRemoteIP] = ip
	if n, ok := port.(int32); ok {
		row[cefRemotePort] = strconv.Itoa(int(n))
	}
	row[cefSimplified] = column("act")
	if action, ok := column("act").(string); ok && strings.EqualFold(action, "denied") {
		row[cefSimplified] = "Deny"
	}
}
