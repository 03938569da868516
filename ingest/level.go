package ingest

import (
	"path/filepath"
	"strings"
)

// Facility is the part of a system a message comes from (RFC 5424 §6.2.1).
type Facility uint8

// The facilities that lines without a priority are given.
const (
	Kern     Facility = 0
	User     Facility = 1
	Mail     Facility = 2
	Daemon   Facility = 3
	Auth     Facility = 4
	Syslogd  Facility = 5
	Cron     Facility = 9
	Authpriv Facility = 10
)

// The spellings are those of the Facility column ("Collect Syslog data with
// Azure Monitor Agent").
var facilityNames = [...]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news",
	"uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// String returns the facility's name in the Syslog table: kern, user, ….
func (f Facility) String() string {
	if int(f) < len(facilityNames) {
		return facilityNames[f]
	}
	return "user"
}

// Severity is the urgency of a message (RFC 5424 §6.2.1); 0 is the highest.
type Severity uint8

// The severities that lines without a priority are given.
const (
	Notice Severity = 5
	Info   Severity = 6
)

var severityNames = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// String returns the severity's name in the column SeverityLevel: emerg, alert, ….
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return "info"
}

// maxPRI is local7.debug, the highest priority value there is (RFC 5424 §6.2.1).
const maxPRI = 191

// programFacility returns the facility that a program commonly logs to, for
// lines that name none. ok is false for programs not known.
func programFacility(name string) (f Facility, ok bool) {
	name = name[strings.LastIndexByte(name, '/')+1:] // /usr/sbin/cron; postfix/smtpd is met below
	switch name {
	case "sshd", "sshd-session", "sshd-auth", "sudo", "su", "login", "passwd", "chpasswd", "chage", "chfn", "chsh",
		"useradd", "userdel", "usermod", "groupadd", "groupdel", "groupmod", "gpasswd", "newusers", "polkitd", "pkexec",
		"systemd-logind", "dropbear", "doas", "pam_unix", "gdm-password", "lightdm", "vsftpd", "adduser":
		return Authpriv, true
	case "CRON", "cron", "crond", "anacron", "crontab", "atd", "run-parts":
		return Cron, true
	case "kernel":
		return Kern, true
	case "rsyslogd", "syslog-ng", "syslogd", "syslog":
		return Syslogd, true
	case "sendmail", "dovecot", "exim", "exim4", "opendkim", "spamd", "smtpd", "smtp", "qmgr", "cleanup", "pickup", "master", "bounce", "anvil":
		return Mail, true
	case "systemd", "dhclient", "NetworkManager", "ntpd", "chronyd", "named", "snmpd", "dbus-daemon":
		return Daemon, true
	}
	if strings.HasPrefix(name, "su(") || strings.HasPrefix(name, "sshd(") || strings.HasPrefix(name, "login(") {
		return Authpriv, true // the tag of old PAM: su(pam_unix)[123]
	}
	return User, false
}

// fileFacility returns the facility that is commonly written to a log file of
// this name, for lines whose program does not tell; User if the name does not either.
func fileFacility(path string) Facility {
	name := filepath.Base(path)
	for _, known := range [...]struct {
		prefix   string
		facility Facility
	}{
		{"auth", Authpriv}, {"secure", Authpriv}, {"kern", Kern}, {"cron", Cron}, {"mail", Mail}, {"daemon", Daemon},
	} {
		if strings.HasPrefix(name, known.prefix) {
			return known.facility
		}
	}
	return User
}
