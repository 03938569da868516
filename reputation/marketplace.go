package reputation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering"
	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"picket/state"
)

const (
	// maxAWSRecords is how many records BatchMeterUsage takes.
	maxAWSRecords = 25
	// maxAWSAge is how old usage may be that it takes.
	maxAWSAge = 6 * time.Hour
	// reportEvery is how often it is looked for hours that are over, and for what
	// could not be told before.
	reportEvery = time.Minute
)

// MarketplaceOptions configure [NewMarketplace].
type MarketplaceOptions struct {
	Client      *marketplacemetering.Client
	ProductCode string
	Dimension   string // of the product, in which lookups are counted
	Metrics     prometheus.Registerer
	Now         func() time.Time // nil is time.Now
	Logger      *slog.Logger     // nil discards
}

// A Marketplace tells AWS Marketplace what the buyers of a product have used, so
// that AWS bills them: with BatchMeterUsage a record for each AWS account and hour,
// when the hour is over, whose quantity is the lookups that are not free, of all
// keys of the account. A lookup is in the hour in which it was written down, at
// most a second after it was answered. A buyer with a valid key who used nothing
// gets a record of 0, as AWS recommends ("Metering for usage").
//
// A record does not change any more when it is told. So one that was under way
// when Picket was killed is told again, and AWS takes it for the same one. What AWS
// has not processed is told again in the next round, up to six hours after its
// hour; from then on AWS takes it no more, and it is lost, with an error in the log.
type Marketplace struct {
	db      *state.DB
	o       MarketplaceOptions
	records *prometheus.CounterVec // by state
	unsent  prometheus.Gauge
}

// NewMarketplace returns a Marketplace over the books of the state database.
func NewMarketplace(db *state.DB, o MarketplaceOptions) *Marketplace {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := promauto.With(o.Metrics)
	m := &Marketplace{db: db, o: o,
		records: f.NewCounterVec(prometheus.CounterOpts{Namespace: "picket", Name: "aws_usage_records_total", Help: "Hourly records for AWS Marketplace, by what became of them."}, []string{"state"}),
		unsent:  f.NewGauge(prometheus.GaugeOpts{Namespace: "picket", Name: "aws_usage_records_due", Help: "Hourly records that AWS Marketplace is still to be told."}),
	}
	for _, s := range []string{state.AWSSent, state.AWSRefused, state.AWSLost} {
		m.records.WithLabelValues(s)
	}
	return m
}

// Run tells AWS of every hour until ctx ends.
func (m *Marketplace) Run(ctx context.Context) error {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		if err := m.Report(ctx); err != nil && ctx.Err() == nil {
			m.o.Logger.Error("AWS Marketplace has not been told all usage; it is tried again", "err", err, "again_in", reportEvery)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Report tells AWS of the hours that are over. It is for one caller at a time.
func (m *Marketplace) Report(ctx context.Context) error {
	now := m.o.Now().UTC()
	if err := m.db.CloseAWSUsage(ctx, now, m.o.Dimension); err != nil {
		return err
	}
	due, err := m.db.AWSUsageIn(ctx, state.AWSDue)
	if err != nil {
		return err
	}
	var lost, good []state.AWSUsage
	for _, u := range due {
		if now.Sub(timestampOf(u)) >= maxAWSAge {
			u.State, u.Detail = state.AWSLost, "not told within six hours"
			lost = append(lost, u)
		} else {
			good = append(good, u)
		}
	}
	errs := []error{m.settle(ctx, lost)}
	for batch := range slices.Chunk(good, maxAWSRecords) {
		errs = append(errs, m.tell(ctx, batch))
	}
	if due, err = m.db.AWSUsageIn(ctx, state.AWSDue); err == nil {
		m.unsent.Set(float64(len(due)))
	}
	return errors.Join(append(errs, err)...)
}

// timestampOf is the time that AWS is told for an hour: its last second, which is
// not before a subscription that began in the middle of it.
func timestampOf(u state.AWSUsage) time.Time { return u.Hour.Add(time.Hour - time.Second) }

// tell sends a batch. A record for which AWS refuses all of them is found by
// sending each alone.
func (m *Marketplace) tell(ctx context.Context, batch []state.AWSUsage) error {
	in := &marketplacemetering.BatchMeterUsageInput{ProductCode: &m.o.ProductCode}
	for _, u := range batch {
		in.UsageRecords = append(in.UsageRecords, types.UsageRecord{
			CustomerAWSAccountId: &u.Account, Dimension: &u.Dimension,
			Quantity: aws.Int32(int32(min(u.Quantity, math.MaxInt32))), Timestamp: aws.Time(timestampOf(u)),
		})
	}
	out, err := m.o.Client.BatchMeterUsage(ctx, in)
	if err != nil {
		why := ownFault(err)
		switch {
		case why == "":
			return fmt.Errorf("BatchMeterUsage of %d records: %w", len(batch), err)
		case len(batch) > 1:
			var errs []error
			for i := range batch {
				errs = append(errs, m.tell(ctx, batch[i:i+1]))
			}
			return errors.Join(errs...)
		}
		u := batch[0]
		u.State, u.Detail = state.AWSRefused, why
		return m.settle(ctx, []state.AWSUsage{u})
	}
	return m.settled(ctx, batch, out)
}

// ownFault says why AWS refuses a whole request for the fault of one record in it,
// or "" when it is for another reason.
func ownFault(err error) string {
	var customer *types.InvalidCustomerIdentifierException
	var entitled *types.CustomerNotEntitledException
	var age *types.TimestampOutOfBoundsException
	switch {
	case errors.As(err, &customer):
		return customer.ErrorCode()
	case errors.As(err, &entitled):
		return entitled.ErrorCode()
	case errors.As(err, &age):
		return age.ErrorCode()
	}
	return ""
}

// settled writes down AWS' results of a batch. What has none stays due.
func (m *Marketplace) settled(ctx context.Context, batch []state.AWSUsage, out *marketplacemetering.BatchMeterUsageOutput) error {
	var done []state.AWSUsage
	for _, r := range out.Results {
		if r.UsageRecord == nil {
			continue
		}
		i := slices.IndexFunc(batch, func(u state.AWSUsage) bool {
			return u.Account == aws.ToString(r.UsageRecord.CustomerAWSAccountId) && timestampOf(u).Equal(aws.ToTime(r.UsageRecord.Timestamp).Truncate(time.Second))
		})
		if i < 0 {
			continue
		}
		u := batch[i]
		if u.RecordID = aws.ToString(r.MeteringRecordId); r.Status == types.UsageRecordResultStatusSuccess {
			u.State = state.AWSSent
		} else {
			u.State, u.Detail = state.AWSRefused, cmp.Or(string(r.Status), "no status")
		}
		done = append(done, u)
	}
	err := m.settle(ctx, done)
	if left := len(batch) - len(done); left > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d records were not processed", left, len(batch)))
	}
	return err
}

// settle writes down what became of records, and tells of those that will not be
// billed.
func (m *Marketplace) settle(ctx context.Context, records []state.AWSUsage) error {
	if err := m.db.SettleAWSUsage(ctx, records); err != nil {
		return err
	}
	for _, u := range records {
		m.records.WithLabelValues(u.State).Inc()
		if u.State != state.AWSSent {
			m.o.Logger.Error("usage is not billed by AWS Marketplace", "account", u.Account, "hour", u.Hour, "quantity", u.Quantity, "state", u.State, "reason", u.Detail)
		}
	}
	return nil
}
