package app

import (
	"context"
	"fmt"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering"

	"picket/reputation"
)

// MarketplaceConfig says as which product AWS Marketplace bills the buyers of this
// server's API. The credentials are those that the AWS SDK finds: the environment,
// a profile, or the role of the machine; they need aws-marketplace:BatchMeterUsage.
type MarketplaceConfig struct {
	ProductCode string `yaml:"product_code"`
	Dimension   string `yaml:"dimension"` // in which lookups are counted
	Region      string `yaml:"region"`    // "" is us-east-1
}

func (r configReader) checkMarketplace(c MarketplaceConfig) error {
	if c == (MarketplaceConfig{}) || c.ProductCode != "" && c.Dimension != "" {
		return nil
	}
	return r.problem("aws_marketplace", "want the product_code that AWS gave the product, and the dimension in which lookups are counted")
}

// marketplace returns what tells AWS Marketplace of usage, or nothing when that is
// not set up.
func (a *App) marketplace(ctx context.Context) ([]part, error) {
	c := a.cfg.Marketplace
	if c.ProductCode == "" {
		return nil, nil
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	sdk, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(c.Region))
	if err != nil {
		return nil, fmt.Errorf("AWS Marketplace: %w", err)
	}
	m := reputation.NewMarketplace(a.State, reputation.MarketplaceOptions{
		Client: marketplacemetering.NewFromConfig(sdk), ProductCode: c.ProductCode, Dimension: c.Dimension, Metrics: a.metrics, Logger: a.component("marketplace"),
	})
	return []part{{"aws marketplace", m.Run}}, nil
}
