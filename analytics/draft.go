package analytics

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/kql"
)

// draft is an alert while rows are added to it.
type draft struct {
	c          *collector
	alert      picket.Alert
	seen       map[string]bool // entities, by their key
	dropped    int
	start, end kql.Ticks
	timed      bool
}

func (d *draft) add(row []any) {
	d.alert.Rows++
	d.times(row)
	for _, m := range d.c.maps {
		if e, ok := d.entity(m, row); ok {
			d.addEntity(e)
		}
	}
	for _, detail := range d.c.rule.Details {
		d.addDetail(detail.Key, d.value(row, detail.Column))
	}
}

// times widens the alert's time to the row's.
func (d *draft) times(row []any) {
	if d.c.time[0] < 0 {
		return
	}
	start, ok1 := row[d.c.time[0]].(int64)
	end, ok2 := row[d.c.time[1]].(int64)
	if !ok1 || !ok2 {
		return
	}
	if !d.timed {
		d.start, d.end, d.timed = start, end, true
	}
	d.start, d.end = min(d.start, start), max(d.end, end)
}

// entity makes an entity of a row; false when the row has no value for it.
func (d *draft) entity(m EntityMapping, row []any) (picket.Entity, bool) {
	e := picket.Entity{Kind: m.Type, Properties: make(map[string]string, len(m.Fields))}
	for _, f := range m.Fields {
		v := strings.TrimSpace(d.value(row, f.Column))
		if v == "" {
			continue
		}
		if m.Type == "IP" && f.Identifier == "Address" {
			addr, err := netip.ParseAddr(v)
			if err != nil {
				d.c.invalid++
				continue
			}
			v = addr.Unmap().WithZone("").String()
		}
		e.Properties[f.Identifier] = v
	}
	if m.Type == "IP" && e.Properties["Address"] == "" {
		return e, false
	}
	return e, len(e.Properties) > 0
}

func (d *draft) addEntity(e picket.Entity) {
	key := e.Key()
	if d.seen[key] {
		return
	}
	if len(d.alert.Entities) == maxEntities {
		d.dropped++
		return
	}
	d.seen[key] = true
	d.alert.Entities = append(d.alert.Entities, e)
}

func (d *draft) addDetail(key, v string) {
	if v == "" {
		return
	}
	if d.alert.Custom == nil {
		d.alert.Custom = map[string][]string{}
	}
	have := d.alert.Custom[key]
	size := len(v)
	for _, h := range have {
		size += len(h)
	}
	if len(have) < maxValues && size <= maxValueBytes && !contains(have, v) {
		d.alert.Custom[key] = append(have, v)
	}
}

// override fills the details that the rule takes from the first row.
func (d *draft) override(row []any) {
	o, a := d.c.rule.Override, &d.alert
	if s := d.fill(o.Name, row, maxName); s != "" {
		a.Name = s
	}
	if s := d.fill(o.Description, row, maxDesc); s != "" {
		a.Description = s
	}
	if s, ok := oneOf(d.value(row, o.SeverityColumn), []string{"Informational", "Low", "Medium", "High"}); ok {
		a.Severity = picket.Severity(s)
	}
	if list := d.words(row, o.TacticsColumn); len(list) > 0 {
		var known []string
		for _, t := range list {
			if t, ok := oneOf(strings.ReplaceAll(t, " ", ""), tactics()); ok && !contains(known, t) {
				known = append(known, t)
			}
		}
		if known != nil {
			a.Tactics = known
		}
	}
	for _, p := range o.Properties {
		v := d.value(row, p.Column)
		switch {
		case v == "":
		case p.Property == "Techniques":
			a.Techniques = d.words(row, p.Column)
		default:
			if a.Properties == nil {
				a.Properties = map[string]string{}
			}
			a.Properties[p.Property] = v
		}
	}
}

// words returns a column's value as a list: of a JSON array or of text with commas.
func (d *draft) words(row []any, column string) []string {
	v := d.value(row, column)
	var list []string
	if json.Unmarshal([]byte(v), &list) == nil {
		return list
	}
	for s := range strings.SplitSeq(v, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// fill puts the row's values into a format's places, within limit characters.
func (d *draft) fill(format string, row []any, limit int) string {
	s := place.ReplaceAllStringFunc(format, func(p string) string {
		return d.value(row, place.FindStringSubmatch(p)[1])
	})
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit-1]) + "…"
	}
	return s
}

// value returns a column of a row as KQL's tostring() gives it, "" when there is none.
func (d *draft) value(row []any, column string) string {
	i, ok := d.c.index[column]
	if !ok || i >= len(row) {
		return ""
	}
	switch v := row[i].(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int64:
		switch d.c.columns[i].Type {
		case kql.DateTime:
			return formatTime(kql.TimeOf(v))
		case kql.TimeSpan:
			return (time.Duration(v) * 100).String()
		}
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// formatTime writes a time as Log Analytics does: in UTC, to 100 ns.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// finish returns the alert. Without times in its rows it lasts as long as the window.
func (d *draft) finish(w Window) picket.Alert {
	d.alert.Start, d.alert.End = w.From, w.To
	if d.timed {
		d.alert.Start, d.alert.End = kql.TimeOf(d.start), kql.TimeOf(d.end)
	}
	return d.alert
}
