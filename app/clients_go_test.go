package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-kusto-go/azkustodata"
	kerrors "github.com/Azure/azure-kusto-go/azkustodata/errors"
	kkql "github.com/Azure/azure-kusto-go/azkustodata/kql"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/azquery"
	ingestion "github.com/Azure/azure-sdk-for-go/sdk/monitor/ingestion/azlogs"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/query/azlogs"
)

// goTypes is a row of every type as the Log Analytics clients for Go decode it.
const goTypes = `[true -5 9.007199254740991e+15 1.5 1.25 q"\ü 2026-01-02T03:04:05.1234567Z 1.02:03:04.5000000 74be27de-1e4e-49d9-b579-fe0b331d3642 {"a":[1,"x"]} <nil> ]`

// options trusts the server's authority and knows where the APIs are.
func (l lab) options(t *testing.T) azcore.ClientOptions {
	const audience = "https://api.loganalytics.io"
	return azcore.ClientOptions{
		Transport: trusting(t, l.dir),
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: l.app.TLSURL(), Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			azquery.ServiceNameLogs:        {Endpoint: l.app.TLSURL() + "/v1", Audience: audience},
			azlogs.ServiceName:             {Endpoint: l.app.TLSURL(), Audience: audience},
			ingestion.ServiceNameIngestion: {Audience: "https://monitor.azure.com/"},
		}},
	}
}

func TestGoLogsClients(t *testing.T) {
	l := newLab(t)
	t.Setenv("IDENTITY_ENDPOINT", l.app.URL()+"/msi")
	t.Setenv("IDENTITY_HEADER", l.key)
	identity, err := azidentity.NewManagedIdentityCredential(nil)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := azidentity.NewClientSecretCredential("picket", "any", l.key, &azidentity.ClientSecretCredentialOptions{ClientOptions: l.options(t), DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, cred := range map[string]azcore.TokenCredential{"managed identity": identity, "client secret": secret} {
		t.Run("azquery/"+name, func(t *testing.T) { l.azquery(t, cred) })
	}
	t.Run("azlogs", func(t *testing.T) { l.azlogs(t, identity) })
	t.Run("ingestion", func(t *testing.T) { l.ingestion(t, secret) })
	t.Run("wrong secret", func(t *testing.T) {
		cred, err := azidentity.NewClientSecretCredential("picket", "any", "wrong", &azidentity.ClientSecretCredentialOptions{ClientOptions: l.options(t), DisableInstanceDiscovery: true})
		if err != nil {
			t.Fatal(err)
		}
		client, err := azlogs.NewClient(cred, &azlogs.ClientOptions{ClientOptions: l.options(t)})
		if err != nil {
			t.Fatal(err)
		}
		var failed *azidentity.AuthenticationFailedError
		if _, err := client.QueryWorkspace(t.Context(), "default", azlogs.QueryBody{Query: to.Ptr("print 1")}, nil); !errors.As(err, &failed) || !strings.Contains(err.Error(), "picket key create") {
			t.Errorf("%v", err)
		}
	})
}

func (l lab) ingestion(t *testing.T, cred azcore.TokenCredential) {
	client, err := ingestion.NewClient(l.app.TLSURL(), cred, &ingestion.ClientOptions{ClientOptions: l.options(t)})
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`[{"at":"2026-01-02T03:04:05Z","who":"go","n":1},{"who":"go","n":2}]`)
	if _, err := client.Upload(t.Context(), clientRule, "Custom-Client", body, nil); err != nil {
		t.Fatal(err)
	}
	l.uploaded(t, "go")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(bytes.ReplaceAll(body, []byte("go"), []byte("go gzip"))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Upload(t.Context(), clientRule, "Custom-Client", zipped.Bytes(), &ingestion.UploadOptions{ContentEncoding: to.Ptr("gzip")}); err != nil {
		t.Fatal(err)
	}
	l.uploaded(t, "go gzip")
	var failed *azcore.ResponseError
	_, err = client.Upload(t.Context(), clientRule, "Custom-Nope", body, nil)
	if !errors.As(err, &failed) || failed.StatusCode != 400 || failed.ErrorCode != "InvalidStream" {
		t.Errorf("a stream that is not declared: %v", err)
	}
	_, err = client.Upload(t.Context(), clientRule, "Custom-Client", []byte("["+strings.Repeat(" ", 1<<20)+"]"), nil)
	if !errors.As(err, &failed) || failed.StatusCode != 413 || failed.ErrorCode != "ContentLengthLimitExceeded" {
		t.Errorf("a body of more than 1 MB: %v", err)
	}
}

func (l lab) azquery(t *testing.T, cred azcore.TokenCredential) {
	client, err := azquery.NewLogsClient(cred, &azquery.LogsClientOptions{ClientOptions: l.options(t)})
	if err != nil {
		t.Fatal(err)
	}
	id := l.app.Workspace.ID()
	res, err := client.QueryWorkspace(t.Context(), id, azquery.Body{Query: to.Ptr(allTypes + " | render piechart with (title='x')")},
		&azquery.LogsClientQueryWorkspaceOptions{Options: &azquery.LogsQueryOptions{Statistics: to.Ptr(true), Visualization: to.Ptr(true), Wait: to.Ptr(600)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(res.Tables[0].Rows[0]); got != goTypes {
		t.Errorf(" got %s\nwant %s", got, goTypes)
	}
	if s := string(res.Statistics); !strings.Contains(s, `"tableRowCount":1`) {
		t.Errorf("statistics: %s", s)
	}
	if s := string(res.Visualization); !strings.Contains(s, `"visualization":"piechart"`) || !strings.Contains(s, `"title":"x"`) {
		t.Errorf("render: %s", s)
	}
	now := time.Now()
	res, err = client.QueryWorkspace(t.Context(), id, azquery.Body{Query: to.Ptr("Syslog | count"), Timespan: to.Ptr(azquery.NewTimeInterval(now.Add(-2*time.Hour).UTC(), now.UTC()))}, nil)
	if err != nil || fmt.Sprint(res.Tables[0].Rows) != "[[2]]" {
		t.Errorf("timespan: %v, %v", res.Tables, err)
	}
	resource, err := client.QueryResource(t.Context(), "subscriptions/0/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/default", azquery.Body{Query: to.Ptr("print 1")}, nil)
	if err != nil || fmt.Sprint(resource.Tables[0].Rows) != "[[1]]" {
		t.Errorf("by resource: %v", err)
	}
	res, err = client.QueryWorkspace(t.Context(), id, azquery.Body{Query: to.Ptr(manyRows)}, nil)
	if err != nil || len(res.Tables[0].Rows) != 20000 || res.Error == nil || res.Error.Code != "PartialError" || !strings.Contains(res.Error.Error(), "-2133196797") {
		t.Errorf("at the limit: %v, %v", res.Error, err)
	}
	batch, err := client.QueryBatch(t.Context(), azquery.BatchRequest{Requests: []*azquery.BatchQueryRequest{
		to.Ptr(azquery.NewBatchQueryRequest(id, "print 1", "PT1H", "1", azquery.LogsQueryOptions{Statistics: to.Ptr(true)})),
		to.Ptr(azquery.NewBatchQueryRequest(id, "Syslog | nope", "PT1H", "2", azquery.LogsQueryOptions{})),
	}}, nil)
	if err != nil || len(batch.Responses) != 2 || *batch.Responses[0].Status != 200 || len(batch.Responses[0].Body.Statistics) == 0 ||
		*batch.Responses[1].Status != 400 || batch.Responses[1].Body.Error.Code != "BadArgumentError" {
		t.Errorf("batch: %+v, %v", batch.Responses, err)
	}
	var answer *azcore.ResponseError
	if _, err := client.QueryWorkspace(t.Context(), id, azquery.Body{Query: to.Ptr("Syslog | where")}, nil); !errors.As(err, &answer) || answer.ErrorCode != "BadArgumentError" || !strings.Contains(err.Error(), "SYN0002") {
		t.Errorf("a query that does not parse: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := client.QueryWorkspace(ctx, id, azquery.Body{Query: to.Ptr(endless)}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
}

func (l lab) azlogs(t *testing.T, cred azcore.TokenCredential) {
	o := l.options(t)
	o.Retry.MaxRetries = -1
	client, err := azlogs.NewClient(cred, &azlogs.ClientOptions{ClientOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	id := l.app.Workspace.ID()
	res, err := client.QueryWorkspace(t.Context(), id, azlogs.QueryBody{Query: to.Ptr(allTypes), AdditionalWorkspaces: []string{id}, Timespan: to.Ptr(azlogs.TimeInterval("PT2H"))}, nil)
	if err != nil || fmt.Sprint(res.Tables[0].Rows[0]) != goTypes {
		t.Errorf("%v, %v", res.Tables, err)
	}
	var answer *azcore.ResponseError
	if _, err := client.QueryWorkspace(t.Context(), id, azlogs.QueryBody{Query: to.Ptr("print 1"), AdditionalWorkspaces: []string{"other"}}, nil); !errors.As(err, &answer) || !strings.Contains(err.Error(), "FailedToResolveResource") {
		t.Errorf("another workspace: %v", err)
	}
	_, err = client.QueryWorkspace(t.Context(), id, azlogs.QueryBody{Query: to.Ptr(endless)}, &azlogs.QueryWorkspaceOptions{Options: &azlogs.QueryOptions{Wait: to.Ptr(1)}})
	if !errors.As(err, &answer) || answer.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("beyond its time: %v", err)
	}
	batch, err := client.QueryBatch(t.Context(), azlogs.BatchRequest{Requests: []azlogs.BatchQueryRequest{{ID: to.Ptr("7"), WorkspaceID: &id, Body: &azlogs.QueryBody{Query: to.Ptr("print 1")}}}}, nil)
	if err != nil || *batch.Responses[0].ID != "7" || fmt.Sprint(batch.Responses[0].Body.Tables[0].Rows) != "[[1]]" {
		t.Errorf("batch: %v, %v", batch, err)
	}
}

func TestGoKusto(t *testing.T) {
	l := newLab(t)
	client, err := azkustodata.New(azkustodata.NewConnectionStringBuilder(l.app.TLSURL()).WithApplicationToken("app", l.key), azkustodata.WithHttpClient(trusting(t, l.dir)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	query := func(text string, options ...azkustodata.QueryOption) ([]string, error) {
		set, err := client.Query(t.Context(), "NetDefaultDB", kkql.New("").AddUnsafe(text), options...)
		if err != nil {
			return nil, err
		}
		var rows []string
		for _, row := range set.Tables()[0].Rows() {
			var cells []string
			for _, v := range row.Values() {
				cells = append(cells, v.String())
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
		return rows, nil
	}
	const want = `true|-5|9007199254740991|1.5|1.25|q"\ü|2026-01-02T03:04:05.1234567Z|26h3m4.5s|74be27de-1e4e-49d9-b579-fe0b331d3642|{"a":[1,"x"]}||`
	if rows, err := query(allTypes); err != nil || len(rows) != 1 || rows[0] != want {
		t.Errorf(" got %q, %v\nwant %q", rows, err, want)
	}
	if rows, err := query("range x from 1 to 30000 step 1 | extend t = strcat('row ', x)"); err != nil || len(rows) != 30000 || rows[29999] != "30000|row 30000" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	parameters := azkustodata.QueryParameters(kkql.NewParameters().AddString("s", `it's "x"`).AddLong("n", 9007199254740993).AddDateTime("t", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	if rows, err := query("declare query_parameters(s:string, n:long, t:datetime); print s, tostring(n), t", parameters); err != nil || rows[0] != `it's "x"|9007199254740993|2026-01-02T03:04:05Z` {
		t.Errorf("%q, %v", rows, err)
	}
	var failed *kerrors.HttpError
	if _, err := query("Syslog | where"); !errors.As(err, &failed) || !strings.Contains(err.Error(), "SyntaxException") || !strings.Contains(err.Error(), "SYN0002") {
		t.Errorf("a query that does not parse: %v", err)
	}
	if _, err := query(manyRows); err == nil || !strings.Contains(err.Error(), "80DA0003") {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := query(endless, azkustodata.ServerTimeout(time.Second)); !errors.As(err, &failed) || failed.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("beyond its time: %v", err)
	}
	set, err := client.Mgmt(t.Context(), "NetDefaultDB", kkql.New(".show tables | where TableName == 'Syslog' | project TableName"))
	if err != nil {
		t.Fatal(err)
	}
	if rows := set.Tables()[0].Rows(); len(rows) != 1 || rows[0].Values()[0].String() != "Syslog" {
		t.Errorf("%v", rows)
	}
}
