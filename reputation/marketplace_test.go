package reputation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"picket/state"
)

// awsRecord is a UsageRecord on the wire (AWS JSON 1.1).
type awsRecord struct {
	CustomerAWSAccountId, Dimension string
	Quantity                        int64
	Timestamp                       float64 // Unix seconds
}

// fakeAWS is the Metering Service as its documentation describes it.
type fakeAWS struct {
	*testing.T
	now func() time.Time

	mu           sync.Mutex
	billed       map[string]int64 // by account and hour
	calls        []int            // the records of each call
	throttle     int              // so many calls
	drop         int              // so many calls are processed, but their answers lost
	unprocessed  int              // so many records
	unsubscribed map[string]bool
	invalid      map[string]bool // accounts for which the whole call is refused
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ProductCode  string
		UsageRecords []awsRecord
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || r.Header.Get("X-Amz-Target") != "AWSMPMeteringService.BatchMeterUsage" ||
		!strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDTEST/") {
		f.Errorf("%v, target %s, authorization %s", err, r.Header.Get("X-Amz-Target"), r.Header.Get("Authorization"))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, len(in.UsageRecords))
	if why := f.refuse(in.ProductCode, in.UsageRecords); why != "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"message":"refused"}`, why)
		return
	}
	answer := map[string][]any{"Results": {}, "UnprocessedRecords": {}}
	for _, u := range in.UsageRecords {
		if f.unprocessed > 0 {
			f.unprocessed--
			answer["UnprocessedRecords"] = append(answer["UnprocessedRecords"], u)
			continue
		}
		result := map[string]any{"UsageRecord": u}
		result["Status"], result["MeteringRecordId"] = f.meter(u)
		answer["Results"] = append(answer["Results"], result)
	}
	if f.drop > 0 {
		f.drop--
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer)
}

// fail makes calls go wrong.
func (f *fakeAWS) fail(drop, throttle, unprocessed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop, f.throttle, f.unprocessed = drop, throttle, unprocessed
}

// refuse names the exception for a whole call, or "".
func (f *fakeAWS) refuse(product string, records []awsRecord) string {
	if f.throttle > 0 {
		f.throttle--
		return "ThrottlingException"
	}
	if product != "product-1" {
		return "InvalidProductCodeException"
	}
	if len(records) == 0 || len(records) > 25 {
		f.Errorf("%d records in one call", len(records))
	}
	for _, u := range records {
		at := time.Unix(int64(u.Timestamp), 0)
		switch {
		case u.Dimension != "lookups":
			return "InvalidUsageDimensionException"
		case f.invalid[u.CustomerAWSAccountId]:
			return "InvalidCustomerIdentifierException"
		case at.After(f.now()), f.now().Sub(at) >= 6*time.Hour:
			return "TimestampOutOfBoundsException"
		}
	}
	return ""
}

func (f *fakeAWS) meter(u awsRecord) (status, id string) {
	if f.unsubscribed[u.CustomerAWSAccountId] {
		return "CustomerNotSubscribed", ""
	}
	hour := time.Unix(int64(u.Timestamp), 0).UTC().Format("2006-01-02T15")
	key := u.CustomerAWSAccountId + " " + hour
	if n, told := f.billed[key]; told && n != u.Quantity {
		return "DuplicateRecord", ""
	}
	f.billed[key] = u.Quantity
	return "Success", "id of " + key
}

// marketRig is a Marketplace with its books and AWS.
type marketRig struct {
	*testing.T
	aws     *fakeAWS
	clock   *clock
	path    string
	service *Service
	log     bytes.Buffer
	metrics *prometheus.Registry
	client  *marketplacemetering.Client
}

func newMarketRig(t *testing.T) *marketRig {
	r := &marketRig{T: t, clock: startOfDay(), path: filepath.Join(t.TempDir(), "state.db")}
	r.clock.forward(10*time.Hour + 20*time.Minute)
	r.aws = &fakeAWS{T: t, now: r.clock.now, billed: map[string]int64{}, unsubscribed: map[string]bool{}, invalid: map[string]bool{}}
	srv := httptest.NewServer(r.aws)
	t.Cleanup(srv.Close)
	r.client = marketplacemetering.New(marketplacemetering.Options{
		Region: "us-east-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret-canary", ""),
		Retryer: aws.NopRetryer{}, // each failure is seen by Report
	})
	price := 0.02
	r.service = newService(t, r.path, Options{Now: r.clock.now, PriceUSD: &price})
	return r
}

// key makes a key of a buyer.
func (r *marketRig) key(account string) state.Key {
	r.Helper()
	k, _, err := r.service.CreateKey(r.Context(), NewKey{Name: "buyer", Scopes: []string{ScopeLookup}, AWSAccount: account})
	if err != nil {
		r.Fatal(err)
	}
	return k
}

func (r *marketRig) use(k state.Key, lookups int) {
	r.Helper()
	for range lookups {
		if err := r.service.chargeLater(r.Context(), k, r.clock.now()); err != nil {
			r.Fatal(err)
		}
	}
	if err := r.service.commit(r.Context(), nil); err != nil {
		r.Fatal(err)
	}
}

// report tells AWS, in a process of its own.
func (r *marketRig) report() error {
	r.Helper()
	db, err := state.Open(r.Context(), state.Options{Path: r.path})
	if err != nil {
		r.Fatal(err)
	}
	defer db.Close(context.Background())
	r.metrics = prometheus.NewRegistry()
	m := NewMarketplace(db, MarketplaceOptions{Client: r.client, ProductCode: "product-1", Dimension: "lookups", Metrics: r.metrics,
		Now: r.clock.now, Logger: slog.New(slog.NewTextHandler(&r.log, nil))})
	return m.Report(r.Context())
}

// expect checks what AWS bills, and how many records are in each state.
func (r *marketRig) expect(billed map[string]int64, states map[string]int) {
	r.Helper()
	r.aws.mu.Lock()
	defer r.aws.mu.Unlock()
	if diff := cmp.Diff(billed, r.aws.billed); diff != "" {
		r.Errorf("billed: %s", diff)
	}
	got := map[string]int{}
	for _, s := range []string{state.AWSCounting, state.AWSDue, state.AWSSent, state.AWSRefused, state.AWSLost} {
		list, err := r.service.db.AWSUsageIn(r.Context(), s)
		if err != nil {
			r.Fatal(err)
		}
		if len(list) > 0 {
			got[s] = len(list)
		}
	}
	if diff := cmp.Diff(states, got); diff != "" {
		r.Errorf("records: %s", diff)
	}
	if strings.Contains(r.log.String(), "canary") {
		r.Errorf("the log shows a secret: %s", &r.log)
	}
}

func (r *marketRig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

const buyerA, buyerB = "111111111111", "222222222222"

// Each hour is told once, when it is over: the sum of a buyer's keys.
func TestMarketplaceHours(t *testing.T) {
	r := newMarketRig(t)
	a, b := r.key(buyerA), r.key(buyerB)
	a2, nobody := r.key(buyerA), r.key("")
	r.use(a, 3)
	r.use(a2, 4)
	r.use(b, 1)
	r.use(nobody, 100)
	r.ok(r.report())
	r.expect(map[string]int64{}, map[string]int{state.AWSCounting: 2}) // not over yet
	r.clock.forward(40 * time.Minute)                                  // 11:00
	r.use(a, 5)
	r.ok(r.report())
	r.ok(r.report())
	first := map[string]int64{buyerA + " 2026-11-23T10": 7, buyerB + " 2026-11-23T10": 1}
	r.expect(first, map[string]int{state.AWSCounting: 1, state.AWSSent: 2})
	if diff := cmp.Diff([]int{2}, r.aws.calls); diff != "" {
		t.Errorf("calls: %s", diff)
	}
	// A key that ends is no reason for further records; the other buyer's hours say 0.
	r.ok(r.service.RevokeKey(t.Context(), b.ID))
	rotated, _, err := r.service.RotateKey(t.Context(), a.ID, 0)
	r.ok(err)
	r.clock.forward(time.Hour) // 12:00
	r.ok(r.report())
	r.clock.forward(time.Hour) // 13:00: nobody has used anything since 12
	r.use(rotated, 1)
	r.ok(r.report())
	first[buyerA+" 2026-11-23T11"], first[buyerA+" 2026-11-23T12"] = 5, 0
	r.expect(first, map[string]int{state.AWSCounting: 1, state.AWSSent: 4})
	// A clock that is set back changes nothing that was told.
	r.clock.forward(-90 * time.Minute)
	r.use(rotated, 2)
	r.clock.forward(150 * time.Minute) // 14:00
	r.ok(r.report())
	first[buyerA+" 2026-11-23T13"] = 3
	r.expect(first, map[string]int{state.AWSSent: 5})
	if r.log.Len() > 0 {
		t.Errorf("log: %s", &r.log)
	}
}

// Free lookups are not AWS' business.
func TestMarketplaceFreeLookups(t *testing.T) {
	r := newMarketRig(t)
	r.service.freePerMonth = 5
	r.use(r.key(buyerA), 7)
	r.use(r.key(buyerB), 5)
	r.clock.forward(time.Hour)
	r.ok(r.report())
	r.expect(map[string]int64{buyerA + " 2026-11-23T10": 2, buyerB + " 2026-11-23T10": 0}, map[string]int{state.AWSSent: 2})
}

// Many buyers go in calls of 25; what AWS has not processed goes again.
func TestMarketplaceBatches(t *testing.T) {
	r := newMarketRig(t)
	want := map[string]int64{}
	for i := range 60 {
		account := fmt.Sprintf("%012d", i)
		r.use(r.key(account), i)
		want[account+" 2026-11-23T10"] = int64(i)
	}
	r.clock.forward(time.Hour)
	r.aws.fail(0, 0, 30)
	if err := r.report(); err == nil || !strings.Contains(err.Error(), "25 of 25 records were not processed") || !strings.Contains(err.Error(), "5 of 25 records") {
		t.Errorf("err = %v", err)
	}
	if n := testutil.ToFloat64(gauge(t, r.metrics)); n != 30 {
		t.Errorf("%v are due, want 30", n)
	}
	r.ok(r.report())
	r.expect(want, map[string]int{state.AWSSent: 60})
	if diff := cmp.Diff([]int{25, 25, 10, 25, 5}, r.aws.calls); diff != "" {
		t.Errorf("calls: %s", diff)
	}
}

// gauge makes the number of due records of a registry a collector of its own.
func gauge(t *testing.T, reg *prometheus.Registry) prometheus.Collector {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "due"})
	for _, f := range families {
		if f.GetName() == "picket_aws_usage_records_due" {
			g.Set(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	return g
}

// An answer that is lost, as after kill -9, leads to the same record again, which
// AWS bills once. Throttling and outages are waited out.
func TestMarketplaceResumes(t *testing.T) {
	r := newMarketRig(t)
	r.use(r.key(buyerA), 3)
	r.clock.forward(time.Hour)
	r.aws.fail(1, 0, 0)
	if err := r.report(); err == nil {
		t.Fatal("no error, though the answer was lost")
	}
	r.expect(map[string]int64{buyerA + " 2026-11-23T10": 3}, map[string]int{state.AWSDue: 1})
	r.aws.fail(0, 2, 0)
	for range 2 {
		if err := r.report(); err == nil || !strings.Contains(err.Error(), "ThrottlingException") {
			t.Errorf("err = %v", err)
		}
	}
	r.ok(r.report())
	r.expect(map[string]int64{buyerA + " 2026-11-23T10": 3}, map[string]int{state.AWSSent: 1})
	sent, err := r.service.db.AWSUsageIn(t.Context(), state.AWSSent)
	if err != nil || sent[0].RecordID != "id of "+buyerA+" 2026-11-23T10" {
		t.Errorf("%+v, %v", sent, err)
	}
}

// What AWS does not bill is told to people, and holds up nobody else's.
func TestMarketplaceRefusals(t *testing.T) {
	r := newMarketRig(t)
	const gone, wrong, double = "333333333333", "444444444444", "555555555555"
	for _, account := range []string{buyerA, gone, wrong, double, buyerB} {
		r.use(r.key(account), 2)
	}
	r.aws.unsubscribed[gone], r.aws.invalid[wrong] = true, true
	r.aws.billed[double+" 2026-11-23T10"] = 9 // somebody else has told of it
	r.clock.forward(time.Hour)
	r.ok(r.report())
	r.expect(map[string]int64{buyerA + " 2026-11-23T10": 2, buyerB + " 2026-11-23T10": 2, double + " 2026-11-23T10": 9},
		map[string]int{state.AWSSent: 2, state.AWSRefused: 3})
	for _, want := range []string{"account=333333333333", "reason=CustomerNotSubscribed", "reason=InvalidCustomerIdentifierException", "reason=DuplicateRecord", "quantity=2"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, &r.log)
		}
	}
	if diff := cmp.Diff([]int{5, 1, 1, 1, 1, 1}, r.aws.calls); diff != "" {
		t.Errorf("calls: %s", diff)
	}
}

// After an outage of a day what AWS takes no more is lost, with a word, and what it
// still takes is told.
func TestMarketplaceOutage(t *testing.T) {
	r := newMarketRig(t)
	a := r.key(buyerA)
	for range 8 { // 10:20 … 17:20
		r.use(a, 1)
		r.clock.forward(time.Hour)
	}
	r.ok(r.report()) // 18:20: the last second of 12 o'clock is younger than six hours
	want := map[string]int64{}
	for hour := 12; hour < 18; hour++ {
		want[fmt.Sprintf("%s 2026-11-23T%d", buyerA, hour)] = 1
	}
	r.expect(want, map[string]int{state.AWSSent: 6, state.AWSLost: 2})
	if n := strings.Count(r.log.String(), "not told within six hours"); n != 2 {
		t.Errorf("%d hours are told to be lost, want 2: %s", n, &r.log)
	}
	// Where the configuration is wrong, nothing is lost before its time.
	r.use(a, 1)
	r.clock.forward(time.Hour)
	r.aws.mu.Lock()
	r.aws.now = func() time.Time { return r.clock.now().Add(-2 * time.Hour) } // our clock is wrong
	r.aws.mu.Unlock()
	r.ok(r.report())
	if !strings.Contains(r.log.String(), "TimestampOutOfBoundsException") {
		t.Errorf("log: %s", &r.log)
	}
}
