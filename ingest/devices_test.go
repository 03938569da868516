package ingest

import (
	"fmt"
	"testing"
	"time"
)

// TestParseDevices holds what devices send, in the formats of their makers'
// documentation: facility.severity, time, host, process[id] and text, with a !
// before it where something was not understood.
func TestParseDevices(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		m := Parse([]byte(line), testNow, time.UTC)
		p, when := short(m), "-"
		if !p.Time.IsZero() {
			when = p.Time.Format("2006-01-02T15:04:05.999")
		}
		got := fmt.Sprintf("%s %s %q %s[%d] %s", p.Level, when, p.Host, p.Process, p.PID, m.body())
		if p.Odd {
			got = "!" + got
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", line, got, want)
		}
	}
	// Cisco IOS and NX-OS: sequence numbers, an origin-id, a clock that was never set, a year first.
	f(`*Mar  1 00:00:03.123: %LINK-3-UPDOWN: Interface Vlan1, changed state to up`,
		`user.info? 2026-03-01T00:00:03.123 "" %LINK-3-UPDOWN[-1] %LINK-3-UPDOWN: Interface Vlan1, changed state to up`)
	f(`<189>000123: *Mar  1 18:46:11.000: %SYS-5-CONFIG_I: Configured from console`,
		`local7.notice 2026-03-01T18:46:11 "" %SYS-5-CONFIG_I[-1] %SYS-5-CONFIG_I: Configured from console`)
	f(`<189>123: router1: *Mar  1 18:46:11.000: %SYS-5-CONFIG_I: Configured from console`,
		`local7.notice 2026-03-01T18:46:11 "router1" %SYS-5-CONFIG_I[-1] %SYS-5-CONFIG_I: Configured from console`)
	f(`<189>123: router1: 000122: *Mar  1 18:46:11.000 CET: %SYS-5-CONFIG_I: Configured from console`,
		`local7.notice 2026-03-01T18:46:11 "router1" %SYS-5-CONFIG_I[-1] %SYS-5-CONFIG_I: Configured from console`)
	f(`<189>: 2026 Nov 23 03:12:59 UTC: %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up`,
		`local7.notice 2026-11-23T03:12:59 "" %ETHPORT-5-IF_UP[-1] %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up`)
	f(`<187>sw1: 2026 Nov 23 03:12:59.123 UTC: %AUTHPRIV-3-SYSTEM_MSG: pam_aaa:Authentication failed for user x from 203.0.113.7 - sshd[1]`,
		`local7.err 2026-11-23T03:12:59.123 "sw1" %AUTHPRIV-3-SYSTEM_MSG[-1] %AUTHPRIV-3-SYSTEM_MSG: pam_aaa:Authentication failed for user x from 203.0.113.7 - sshd[1]`)
	// Cisco Meraki: seconds since 1970 in an otherwise RFC 5424-like header.
	f(`<134>1 1795403579.123456789 MX84 flows src=203.0.113.7 dst=192.0.2.9 protocol=tcp sport=51022 dport=22 pattern: allow all`,
		`local0.info 2026-11-23T03:12:59.123 "MX84" [-1] flows src=203.0.113.7 dst=192.0.2.9 protocol=tcp sport=51022 dport=22 pattern: allow all`)
	// Fortinet, Sophos, SonicWall: pairs and nothing else.
	f(`<189>date=2026-11-23 time=03:12:59 devname="FGT" devid="F" logid="0000000013" type="traffic" srcip=203.0.113.7`,
		`!local7.notice - "" [-1] date=2026-11-23 time=03:12:59 devname="FGT" devid="F" logid="0000000013" type="traffic" srcip=203.0.113.7`)
	f(`<30>device="SFW" date=2026-11-23 time=03:12:59 timezone="UTC" device_name="XG" src_ip=203.0.113.7`,
		`!daemon.info - "" [-1] device="SFW" date=2026-11-23 time=03:12:59 timezone="UTC" device_name="XG" src_ip=203.0.113.7`)
	f(`<134>  id=firewall sn=0017C5000000 time="2026-11-23 03:12:59" fw=192.0.2.1 pri=6 m=98 msg="Connection Opened" src=203.0.113.7:51022:X1`,
		`!local0.info - "" [-1]   id=firewall sn=0017C5000000 time="2026-11-23 03:12:59" fw=192.0.2.1 pri=6 m=98 msg="Connection Opened" src=203.0.113.7:51022:X1`)
	// pfSense and OPNsense, both formats; the first has no host.
	f(`<134>Nov 23 03:12:59 filterlog[53112]: 5,,,1000000103,igb1,match,block,in,4,0x0,,64,0,0,DF,6,tcp,60,203.0.113.7,192.0.2.1,51022,22,0,S`,
		`local0.info 2026-11-23T03:12:59 "" filterlog[53112] 5,,,1000000103,igb1,match,block,in,4,0x0,,64,0,0,DF,6,tcp,60,203.0.113.7,192.0.2.1,51022,22,0,S`)
	f(`<134>1 2026-11-23T03:12:59.123456+00:00 pfsense.example.org filterlog 53112 - - 5,,,1000000103,igb1,match,block,in`,
		`local0.info 2026-11-23T03:12:59.123 "pfsense.example.org" filterlog[53112] 5,,,1000000103,igb1,match,block,in`)
	// MikroTik: neither priority nor time, and its own topics; with BSD syslog switched on.
	f(`firewall,info input: in:ether1 out:(unknown 0), proto TCP (SYN), 203.0.113.7:51022->192.0.2.1:22, len 60`,
		`!user.info? - "" [-1] firewall,info input: in:ether1 out:(unknown 0), proto TCP (SYN), 203.0.113.7:51022->192.0.2.1:22, len 60`)
	f(`<30>Nov 23 03:12:59 MikroTik system,error,critical login failure for user admin from 203.0.113.7 via ssh`,
		`daemon.info 2026-11-23T03:12:59 "MikroTik" [-1] system,error,critical login failure for user admin from 203.0.113.7 via ssh`)
	// Juniper: structured, and not.
	f(`<14>1 2026-11-23T03:12:59.123Z srx1 RT_FLOW - RT_FLOW_SESSION_DENY [junos@2636.1.1.1.2.40 source-address="203.0.113.7" destination-port="22"]`,
		`user.info 2026-11-23T03:12:59.123 "srx1" RT_FLOW[-1] RT_FLOW_SESSION_DENY [junos@2636.1.1.1.2.40 source-address="203.0.113.7" destination-port="22"]`)
	f(`<14>Nov 23 03:12:59 srx1 RT_FLOW: RT_FLOW_SESSION_DENY: session denied 203.0.113.7/51022->192.0.2.1/22`,
		`user.info 2026-11-23T03:12:59 "srx1" RT_FLOW[-1] RT_FLOW_SESSION_DENY: session denied 203.0.113.7/51022->192.0.2.1/22`)
	// Check Point: structured data that is none.
	f(`<134>1 2026-11-23T03:12:59Z gw1 CheckPoint 8363 - [action:"Accept"; src:"203.0.113.7"; dst:"192.0.2.9"]`,
		`local0.info 2026-11-23T03:12:59 "gw1" CheckPoint[8363] [action:"Accept"; src:"203.0.113.7"; dst:"192.0.2.9"]`)
	// F5, Huawei, Citrix, Palo Alto, Aruba, HP, Arista, Ubiquiti, Synology, VMware.
	f(`<141>Nov 23 03:12:59 bigip1 notice httpd[6811]: 01070417:5: AUDIT - user admin - from 203.0.113.7`,
		`local1.notice 2026-11-23T03:12:59 "bigip1" httpd[6811] 01070417:5: AUDIT - user admin - from 203.0.113.7`)
	f(`<189>Nov 23 2026 03:12:59 HUAWEI %%01SHELL/5/LOGIN(s)[1]:VTY login from 203.0.113.7.`,
		`local7.notice 2026-11-23T03:12:59 "HUAWEI" [-1] %%01SHELL/5/LOGIN(s)[1]:VTY login from 203.0.113.7.`)
	f(`<134> 11/23/2026:03:12:59 GMT ns1 0-PPE-0 : default SSLVPN LOGIN_FAILED 1234 0 : User x - Client_ip 203.0.113.7`,
		`!local0.info - "" [-1]  11/23/2026:03:12:59 GMT ns1 0-PPE-0 : default SSLVPN LOGIN_FAILED 1234 0 : User x - Client_ip 203.0.113.7`)
	f(`<14>Nov 23 03:12:59 pa1 1,2026/11/23 03:12:59,0011,THREAT,url,2305,2026/11/23 03:12:59,203.0.113.7,192.0.2.9`,
		`user.info 2026-11-23T03:12:59 "pa1" [-1] 1,2026/11/23 03:12:59,0011,THREAT,url,2305,2026/11/23 03:12:59,203.0.113.7,192.0.2.9`)
	f(`<14>1 2026-11-23T03:12:59+00:00 pa1 - - - - 1,2026/11/23 03:12:59,0011,TRAFFIC,end,2305,2026/11/23 03:12:59,203.0.113.7`,
		`user.info 2026-11-23T03:12:59 "pa1" [-1] 1,2026/11/23 03:12:59,0011,TRAFFIC,end,2305,2026/11/23 03:12:59,203.0.113.7`)
	f(`<132>Nov 23 03:12:59 aruba1 authmgr[3590]: <522008> <NOTI> |authmgr| User authenticated: IP=203.0.113.7`,
		`local0.warning 2026-11-23T03:12:59 "aruba1" authmgr[3590] <522008> <NOTI> |authmgr| User authenticated: IP=203.0.113.7`)
	f(`<174>Nov 23 03:12:59 192.0.2.1 00419 auth:  Invalid user name/password on SSH session User 'x' is trying to login from 203.0.113.7`,
		`local5.info 2026-11-23T03:12:59 "192.0.2.1" [-1] 00419 auth:  Invalid user name/password on SSH session User 'x' is trying to login from 203.0.113.7`)
	f(`<190>Nov 23 03:12:59 sw1 Aaa: %AAA-4-LOGIN_FAILED: user x failed to login [from: 203.0.113.7] [service: sshd]`,
		`local7.info 2026-11-23T03:12:59 "sw1" Aaa[-1] %AAA-4-LOGIN_FAILED: user x failed to login [from: 203.0.113.7] [service: sshd]`)
	f(`<30>Nov 23 03:12:59 ubnt,18e829000000,v4.0.42 hostapd: ath0: STA 00:00:5e:00:53:01 IEEE 802.11: authenticated`,
		`daemon.info 2026-11-23T03:12:59 "" [-1] ubnt,18e829000000,v4.0.42 hostapd: ath0: STA 00:00:5e:00:53:01 IEEE 802.11: authenticated`)
	f(`<38>1 2026-11-23T03:12:59+01:00 nas1 Connection - - - User [admin] from [203.0.113.7] failed to log in via [SSH].`,
		`auth.info 2026-11-23T02:12:59 "nas1" Connection[-1] User [admin] from [203.0.113.7] failed to log in via [SSH].`)
	f(`<14>2026-11-23T03:12:59.123Z esx1.example.org Vpxa: info vpxa[2099] [Originator@6876 sub=vpxLro opID=x] login from 203.0.113.7`,
		`user.info 2026-11-23T03:12:59.123 "esx1.example.org" Vpxa[-1] info vpxa[2099] [Originator@6876 sub=vpxLro opID=x] login from 203.0.113.7`)
	// Windows, by NXLog and in Snare's format; AIX and Solaris; containers.
	f(`<13>1 2026-11-23T03:12:59.123456+00:00 win1 Microsoft-Windows-Security-Auditing 612 - [NXLOG@14506 EventID="4625" IpAddress="203.0.113.7"] An account failed`,
		`user.notice 2026-11-23T03:12:59.123 "win1" Microsoft-Windows-Security-Auditing[612] An account failed [NXLOG@14506 EventID="4625" IpAddress="203.0.113.7"]`)
	f(`<13>Nov 23 03:12:59 win1.example.org Security-Auditing: 4625: AUDIT_FAILURE An account failed to log on.`,
		`user.notice 2026-11-23T03:12:59 "win1.example.org" Security-Auditing[-1] 4625: AUDIT_FAILURE An account failed to log on.`)
	f(`<38>Nov 23 03:12:59 aix1 auth|security:info sshd[1]: Failed password for root from 203.0.113.7`,
		`auth.info 2026-11-23T03:12:59 "aix1" [-1] auth|security:info sshd[1]: Failed password for root from 203.0.113.7`)
	f(`<38>Nov 23 03:12:59 sol1 sshd[800]: [ID 800047 auth.info] Failed none for root from 203.0.113.7 port 1 ssh2`,
		`auth.info 2026-11-23T03:12:59 "sol1" sshd[800] [ID 800047 auth.info] Failed none for root from 203.0.113.7 port 1 ssh2`)
	f(`<30>Nov 23 03:12:59 host1 docker/nginx[912]: 203.0.113.7 - - [23/Nov/2026:03:12:59 +0000] "GET / HTTP/1.1" 200`,
		`daemon.info 2026-11-23T03:12:59 "host1" docker/nginx[912] 203.0.113.7 - - [23/Nov/2026:03:12:59 +0000] "GET / HTTP/1.1" 200`)
}
