package workspace

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// logLine is one line of the corpus, as a row of Syslog holds it.
type logLine struct {
	Time     int64 // ticks
	Host     string
	Facility string
	Severity string
	Program  string
	PID      int64
	Message  string
}

// corpus makes log lines as hosts on the Internet write them: 45 % sshd, 35 %
// nginx and 20 % firewall, from 20,000 addresses of which few send most. The
// same seed makes the same lines.
type corpus struct {
	r     *rand.Rand
	addrs []string
	zipf  *rand.Zipf
	now   int64
	step  int64 // mean ticks between two lines
}

const (
	corpusStart = 638396640000000000 // 2024-01-01 00:00
	corpusDays  = 7
)

// newCorpus makes n lines over [corpusDays].
func newCorpus(n int) *corpus {
	r := rand.New(rand.NewPCG(42, 42))
	c := &corpus{r: r, zipf: rand.NewZipf(r, 1.1, 8, 19_999), now: corpusStart, step: corpusDays * 864_000_000_000 / int64(n)}
	seen := map[string]bool{}
	for len(c.addrs) < 20_000 {
		a := fmt.Sprintf("%d.%d.%d.%d", 1+r.IntN(223), r.IntN(256), r.IntN(256), 1+r.IntN(254))
		if !seen[a] {
			seen[a] = true
			c.addrs = append(c.addrs, a)
		}
	}
	return c
}

var (
	corpusUsers = []string{"root", "admin", "test", "ubuntu", "oracle", "postgres", "git", "user", "deploy", "pi", "ftpuser", "guest", "hadoop", "jenkins", "www-data", "mysql"}
	corpusPaths = []string{"/", "/index.html", "/wp-login.php", "/xmlrpc.php", "/.env", "/.git/config", "/admin/login", "/api/v1/users", "/robots.txt", "/static/app.js", "/phpmyadmin/index.php", "/cgi-bin/luci"}
	corpusAgent = []string{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "curl/8.5.0", "python-requests/2.31.0", "Mozilla/5.0 zgrab/0.x", "Go-http-client/1.1"}
	corpusPorts = []int{22, 23, 80, 443, 445, 1433, 3306, 3389, 5060, 8080}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// next makes the next line; times never go back.
func (c *corpus) next() logLine {
	r := c.r
	c.now += r.Int64N(2*c.step + 1)
	l := logLine{Time: c.now, Host: "host" + strconv.Itoa(r.IntN(40)), Severity: "info", PID: 400 + r.Int64N(60_000)}
	ip := c.addrs[c.zipf.Uint64()]
	port := strconv.Itoa(1024 + r.IntN(64_000))
	switch k := r.IntN(100); {
	case k < 45:
		l.Facility, l.Program = "auth", "sshd"
		l.Message = c.sshd(ip, port)
	case k < 80:
		l.Facility, l.Program, l.PID = "local7", "nginx", 900
		l.Message = ip + ` - - [` + strconv.Itoa(1+int((c.now-corpusStart)/864_000_000_000)) + `/Jan/2024:` + strconv.Itoa(10+r.IntN(14)) + `:` + strconv.Itoa(10+r.IntN(50)) + `:` + strconv.Itoa(10+r.IntN(50)) +
			` +0000] "` + pick(r, []string{"GET", "GET", "GET", "POST", "HEAD"}) + ` ` + pick(r, corpusPaths) + ` HTTP/1.1" ` + pick(r, []string{"200", "200", "301", "403", "404"}) + ` ` + strconv.Itoa(r.IntN(50_000)) +
			` "-" "` + pick(r, corpusAgent) + `"`
	default:
		l.Facility, l.Severity, l.Program, l.PID = "kern", "warning", "kernel", 0
		l.Message = `[UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:12:34:56:52:54:00:65:43:21:08:00 SRC=` + ip + ` DST=192.0.2.` + strconv.Itoa(1+r.IntN(40)) + ` LEN=` + strconv.Itoa(40+r.IntN(20)) +
			` TOS=0x00 PREC=0x00 TTL=` + strconv.Itoa(30+r.IntN(220)) + ` ID=` + strconv.Itoa(r.IntN(65_536)) + ` PROTO=TCP SPT=` + port + ` DPT=` + strconv.Itoa(pick(r, corpusPorts)) + ` WINDOW=1024 RES=0x00 SYN URGP=0`
	}
	return l
}

func (c *corpus) sshd(ip, port string) string {
	user := pick(c.r, corpusUsers)
	switch k := c.r.IntN(100); {
	case k < 35:
		return "Failed password for " + user + " from " + ip + " port " + port + " ssh2"
	case k < 60:
		return "Failed password for invalid user " + user + strconv.Itoa(c.r.IntN(1000)) + " from " + ip + " port " + port + " ssh2"
	case k < 75:
		return "Invalid user " + user + strconv.Itoa(c.r.IntN(1000)) + " from " + ip + " port " + port
	case k < 85:
		return "Connection closed by authenticating user " + user + " " + ip + " port " + port + " [preauth]"
	case k < 97:
		return "Received disconnect from " + ip + " port " + port + ":11: Bye Bye [preauth]"
	default:
		return "Accepted publickey for " + user + " from " + ip + " port " + port + " ssh2: ED25519 SHA256:Zk3sX0aY7dQ1"
	}
}
