package address

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// show writes matches as the tests have them: the address, /bits, :port, %zone,
// ? for doubtful, ! for defanged.
func show(text string, o Options) string {
	var out []string
	for _, m := range Append(nil, []byte(text), o) {
		s := m.Addr.String()
		if m.Bits >= 0 {
			s += fmt.Sprintf("/%d", m.Bits)
		}
		if port := m.Port([]byte(text)); port > 0 {
			s += fmt.Sprintf(" port %d", port)
		}
		if m.Zone > 0 {
			s += " zone " + text[m.Zone:m.End]
		}
		if m.Doubtful {
			s += " ?"
		}
		if m.Defanged {
			s += " !"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestFind(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""}, {".", ""}, {":", ""}, {"::", ""}, {"1.2.3", ""}, {"a.b.c.d", ""},
		// IPv4
		{"8.8.8.8", "8.8.8.8"},
		{"from 8.8.8.8.", "8.8.8.8"},
		{"8.8.8.8, 8.8.4.4;1.1.1.1|9.9.9.9", "8.8.8.8, 8.8.4.4, 1.1.1.1, 9.9.9.9"},
		{"8.8.8.8:443", "8.8.8.8 port 443"},
		{"8.8.8.8:443: refused", "8.8.8.8 port 443"},
		{"8.8.8.8:99999", "8.8.8.8"},
		{"[8.8.8.8]", "8.8.8.8"},
		{"(8.8.8.8)", "8.8.8.8"},
		{"http://8.8.8.8/", "8.8.8.8"},
		{"http://8.8.8.8:8080/24", "8.8.8.8 port 8080"},
		{"http://8.8.8.8/24", "8.8.8.8"},
		{"http://user@8.8.8.8/x", "8.8.8.8"},
		{"GET /ip/8.8.8.8 HTTP/1.1", "8.8.8.8"},
		{"8.8.8.0/24", "8.8.8.0/24"},
		{"8.8.8.8/32 and 10.0.0.0/8.", "8.8.8.8/32, 10.0.0.0/8"},
		{"8.8.8.8/33", "8.8.8.8"},
		{"8.8.8.8/24/x", "8.8.8.8"},
		{"ip=8.8.8.8 src:8.8.4.4 a->1.1.1.1->2.2.2.2", "8.8.8.8, 8.8.4.4, 1.1.1.1, 2.2.2.2"},
		{"1.1.1.1-1.1.1.9", "1.1.1.1, 1.1.1.9"},
		{"Failed password for root from 203.0.113.7 port 51022 ssh2", "203.0.113.7 port 51022"},
		{"client 198.51.100.1#53211 (x): query", "198.51.100.1 port 53211"},
		{"255.255.255.255 0.0.0.0", "255.255.255.255, 0.0.0.0"},
		{`{"m":"a\n8.8.8.8\r\n9.9.9.9"}`, "8.8.8.8, 9.9.9.9"},
		{"q%3D8.8.8.8&x=%2010.0.0.1%208.8.4.4%20198.51.100.1", "8.8.8.8, 10.0.0.1, 8.8.4.4, 198.51.100.1"},
		{"来自8.8.8.8的", "8.8.8.8"},
		{"\x008.8.8.8\x00\xff9.9.9.9\xff", "8.8.8.8, 9.9.9.9"},
		{"localhost/127.0.0.1:8080", "127.0.0.1 port 8080"},
		{"x /10.0.0.1:1234", "10.0.0.1 port 1234"},
		// tcpdump
		{"IP 192.0.2.1.51022 > 198.51.100.1.22: Flags [S]", "192.0.2.1 port 51022, 198.51.100.1 port 22"},
		{"IP6 2001:db8::1.51022 > 2001:db8::2.22: Flags [S]", "2001:db8::1 port 51022, 2001:db8::2 port 22"},
		{"IP 192.0.2.1 > 198.51.100.1: ICMP echo", "192.0.2.1, 198.51.100.1"},
		{"src:192.168.1.1 ab:10.20.30.40 ::x:10.20.30.40", "192.168.1.1, 10.20.30.40, 10.20.30.40"},
		{"1:2:3:4:5:6:7.8.9.1", "1:2:3:4:5:6:708:901"}, {"12:34:56 ::1", "::1"},
		// not IPv4
		{"256.1.1.1", ""}, {"1.256.1.1", ""}, {"1.1.1.256", ""}, {"1.1.1.1111", ""}, {"1111.1.1.1", ""},
		{"1.2.3.4.5", ""}, {"1.3.6.1.4.1.311", ""}, {"010.008.001.1", ""}, {"1.2.3.04", ""},
		{"v1.2.3.4", ""}, {"1.2.3.4a", ""}, {"x1.2.3.4", ""}, {"1.2.3.4_5", ""}, {"_1.2.3.4", ""},
		{"lib 1.2.3.4567", ""}, {"1..2.3.4", ""}, {"1.2.3.", ""}, {"1.2.3.x", ""},
		{"8。8。8。8 0x08080808 134744072", ""},
		{"8[.]8[.]8[.]8", ""},
		// doubtful
		{"nginx/1.25.3.1", ""}, {"Mozilla/5.0 (X11) Chrome/119.0.0.0 Safari/537.36", ""},
		{"version 1.2.3.4", ""}, {"Version: 1.2.3.4", ""}, {"rv:1.8.1.13", ""}, {"firmware=1.2.3.4", ""},
		{"203.0.113.7.example.net", ""}, {"host.1.2.3.4", ""}, {"5.10.0.1-amd64", ""},
		{"the version\n 198.51.100.1", "198.51.100.1"},
		// reverse DNS
		{"8.4.4.8.in-addr.arpa", "8.4.4.8"}, {"4.3.2.1.in-addr.arpa.", "1.2.3.4"}, {"4.3.2.1.in-addr.arpanet", ""},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::1"},
		{"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", ""},
		// IPv6
		{"2001:db8::1", "2001:db8::1"}, {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"}, {"2001:db8::", "2001:db8::"},
		{"[2001:db8::1]:443", "2001:db8::1 port 443"}, {"[2001:db8::1]", "2001:db8::1"},
		{"http://[2001:db8::1]/", "2001:db8::1"}, {"2001:db8::1.", "2001:db8::1"}, {"2001:db8::1: hello", "2001:db8::1"},
		{"2001:db8::/32", "2001:db8::/32"}, {"2001:db8::1/129", "2001:db8::1"}, {"ip=2001:db8::1,", "2001:db8::1"},
		{"::1", "::1"}, {" ::1 ", "::1"}, {"[::]:80", ":: port 80"}, {"1::", "1::"}, {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
		{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"}, {"1:2:3:4:5:6:7:8:9", ""}, {"1:2:3:4:5:6:7", ""}, {"1::2::3", ""},
		{"::ffff:8.8.8.8", "8.8.8.8"}, {"::ffff:8.8.8.8:443", "8.8.8.8 port 443"}, {"::ffff:808:808", "8.8.8.8"}, {"[::ffff:8.8.8.8]:22", "8.8.8.8 port 22"},
		{"fe80::1%eth0", "fe80::1 zone eth0"}, {"fe80::1%eth0.", "fe80::1 zone eth0"}, {"fe80::1%", "fe80::1"},
		{"2001:db8::1%20x", "2001:db8::1"},
		{"64:ff9b::808:808", "64:ff9b::808:808"}, {"2002:808:808::1", "2002:808:808::1"}, {"64:ff9b::8.8.8.8", "64:ff9b::808:808"},
		{`"\n2001:db8::1"`, "2001:db8::1"}, {"x%3D2001:db8::1", "2001:db8::1"}, {"x%3D1::2", "1::2"},
		{"from 2001:db8::1 port 22", "2001:db8::1 port 22"},
		// not IPv6
		{"std::string foo::bar", ""}, {"dead::beef", ""}, {"::beg", ""}, {"a::b::c", ""}, {"xdead::1", ""}, {"12345::1", ""},
		{"aa:bb:cc:dd:ee:ff", ""}, {"00:11:22:33:44:55:66:77", ""}, {"12:34:56", ""}, {"12:34:56.789", ""}, {"2026-11-25T12:34:56Z", ""},
		{"MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", ""}, {"10:20", ""}, {"sshd[123]: a:b", ""}, {"1:2:3", ""},
		{"Foo::1", ""}, {"use a::B", ""}, {"key:value", ""}, {"x::", ""},
		// both
		{"Nov 25 12:34:56 h sshd[9]: from 8.8.8.8 to 2001:db8::5 done 12:34:57", "8.8.8.8, 2001:db8::5"},
	}
	for _, tt := range tests {
		if got := show(tt.text, Options{}); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
		// The place in the text makes no difference, nor does what stands far from it.
		for n := range 70 {
			pad := strings.Repeat(" ", n)
			if got := show(pad+tt.text+" x", Options{}); got != tt.want {
				t.Errorf("%q after %d spaces: %q, want %q", tt.text, n, got, tt.want)
				break
			}
		}
	}
}

func TestFindDoubtful(t *testing.T) {
	for text, want := range map[string]string{
		"nginx/1.25.3.1":           "1.25.3.1 ?",
		"version 1.2.3.4":          "1.2.3.4 ?",
		"203.0.113.7.example.net":  "203.0.113.7 ?",
		"dead::beef 2001:db8::1":   "dead::beef ?, 2001:db8::1",
		"00:11:22:33:44:55:66:77":  "11:22:33:44:55:66:77 ?",
		"v1.2.3.4 1.2.3.4.5 a::zz": "",
	} {
		if text == "00:11:22:33:44:55:66:77" {
			want = "0:11:22:33:44:55:66:77 ?"
		}
		if got := show(text, Options{Doubtful: true}); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFindDefanged(t *testing.T) {
	tests := []struct{ text, want string }{
		{"8[.]8[.]8[.]8", "8.8.8.8 !"}, {"8(.)8(.)8(.)8", "8.8.8.8 !"}, {"8{.}8{.}8{.}8", "8.8.8.8 !"}, {`8\.8\.8\.8`, "8.8.8.8 !"},
		{"8[dot]8[DOT]8(dot)8", "8.8.8.8 !"}, {"8.8.8[.]8", "8.8.8.8 !"}, {"8[.]8.8.8", "8.8.8.8 !"},
		{"hxxp://8[.]8[.]8[.]8:8080/x", "8.8.8.8 port 8080 !"}, {"8[.]8[.]8[.]0/24,", "8.8.8.0/24 !"},
		{"2001[:]db8[:][:]1", "2001:db8::1 !"}, {"2001[:]db8::1", "2001:db8::1 !"},
		{"[8.8.8.8] (9.9.9.9)", "8.8.8.8, 9.9.9.9"}, {"1.1.1.1 8[.]8[.]8[.]8 2.2.2.2", "1.1.1.1, 8.8.8.8 !, 2.2.2.2"},
		{"8[.]8[.]8[.]8 9[.]9[.]9[.]9", "8.8.8.8 !, 9.9.9.9 !"}, {"evil[.]example[.]com", ""}, {"256[.]1[.]1[.]1", ""}, {"[.][.][.]", ""},
		{"v8[.]8[.]8[.]8", ""}, {"8[.]8[.]8[.]8[.]8", ""},
	}
	for _, tt := range tests {
		if got := show(tt.text, Options{Defanged: true}); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestMatchPlace(t *testing.T) {
	text := []byte("a [2001:db8::1]:443 b 10.0.0.0/8 c fe80::1%eth0 d 4.3.2.1.in-addr.arpa e 8[.]8[.]8[.]8.")
	want := []string{"2001:db8::1", "10.0.0.0/8", "fe80::1%eth0", "4.3.2.1.in-addr.arpa", "8[.]8[.]8[.]8"}
	got := Append(nil, text, Options{Defanged: true})
	if len(got) != len(want) {
		t.Fatalf("%d matches, want %d: %v", len(got), len(want), got)
	}
	for i, m := range got {
		if string(m.Text(text)) != want[i] {
			t.Errorf("match %d is %q, want %q", i, m.Text(text), want[i])
		}
	}
	if p := got[1].Prefix(); p != netip.MustParsePrefix("10.0.0.0/8") {
		t.Error(p)
	}
	if p := got[0].Prefix(); p != netip.MustParsePrefix("2001:db8::1/128") {
		t.Error(p)
	}
}

func TestEmbedded(t *testing.T) {
	for in, want := range map[string]string{
		"64:ff9b::808:808":                     "8.8.8.8 NAT64",
		"2002:808:808::1":                      "8.8.8.8 6to4",
		"2001:0:4136:e378:8000:63bf:f7f7:f7f7": "8.8.8.8 Teredo",
		"::ffff:8.8.8.8":                       "8.8.8.8 IPv4-mapped",
		"::ffff:0:808:808":                     "8.8.8.8 IPv4-translated",
		"2001:db8::1":                          "invalid IP ",
		"8.8.8.8":                              "invalid IP ",
		"2001:1::1":                            "invalid IP ",
	} {
		a, kind, _ := Embedded(netip.MustParseAddr(in))
		if got := a.String() + " " + kind; got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	text := []byte(strings.Repeat("Nov 25 12:34:56 h sshd[9]: Failed password for x from 8.8.8.8 port 22 or 2001:db8::5 and 9[.]9[.]9[.]9\n", 10))
	dst := make([]Match, 0, 64)
	if n := testing.AllocsPerRun(20, func() { dst = Append(dst[:0], text, Options{Defanged: true}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(dst) != 30 {
		t.Errorf("%d matches", len(dst))
	}
}

// FuzzAppend holds every finding against net/netip.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{"8.8.8.8:443", "::ffff:1.2.3.4", "fe80::1%eth0", "8[.]8[.]8[.]8", "2001:db8::1/64", "4.3.2.1.in-addr.arpa", "IP 1.2.3.4.5 > 1.2.3.4.6: x", "%208.8.8.8"} {
		f.Add(s, true, true)
	}
	f.Fuzz(func(t *testing.T, text string, defanged, doubtful bool) {
		end := 0
		for _, m := range Append(nil, []byte(text), Options{Defanged: defanged, Doubtful: doubtful}) {
			if m.Start < end || m.End <= m.Start || m.End > len(text) {
				t.Fatalf("%q: match at [%d,%d) after %d", text, m.Start, m.End, end)
			}
			end = m.End
			if !m.Addr.IsValid() || m.Addr.Is4In6() || int(m.Bits) > m.Addr.BitLen() {
				t.Fatalf("%q: %+v", text, m)
			}
			s := text[m.Start:m.End]
			if m.Defanged || strings.HasSuffix(s, ".arpa") {
				continue
			}
			s, _, _ = strings.Cut(s, "%")
			s, _, _ = strings.Cut(s, "/")
			if a, err := netip.ParseAddr(s); err != nil || a.Unmap() != m.Addr {
				t.Fatalf("%q: %q is %v (%v), not %v", text, s, a, err, m.Addr)
			}
		}
	})
}

// TestClassify holds the vector instructions against plain Go.
func TestClassify(t *testing.T) {
	text := make([]byte, 3*block)
	for i := range text {
		text[i] = byte(i)
	}
	for range 256 {
		got, want := make([]mask, 3), make([]mask, 3)
		classify(text, got)
		classifyGo(text, want)
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%q: %x, want %x", text[i*block:(i+1)*block], got[i], want[i])
			}
		}
		for i := range text {
			text[i]++
		}
	}
}
