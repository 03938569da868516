// Asks a server as its environment says, and prints what it got as one JSON object.
import { ManagedIdentityCredential, ClientSecretCredential } from "@azure/identity";
import { LogsIngestionClient } from "@azure/monitor-ingestion";
import { LogsQueryClient } from "@azure/monitor-query-logs";
import { Client, KustoConnectionStringBuilder, ClientRequestProperties } from "azure-kusto-data";

const env = process.env;
const got = {};
const failure = async (f) => {
  try {
    await f();
    return "no error";
  } catch (e) {
    return e;
  }
};

async function logs() {
  const id = env.PICKET_WORKSPACE;
  const connect = (cred) => new LogsQueryClient(cred, { endpoint: env.PICKET_URL + "/v1", retryOptions: { maxRetries: 0 } });
  const client = connect(new ManagedIdentityCredential());
  const all = await client.queryWorkspace(id, env.PICKET_ALL_TYPES + " | render piechart", { duration: "" }, { includeQueryStatistics: true, includeVisualization: true });
  got.types = all.tables[0].rows[0];
  got.columns = all.tables[0].columnDescriptors.map((c) => c.type).join(" ");
  got.statistics = all.statistics.query.datasetStatistics[0].tableRowCount;
  got.render = all.visualization.visualization;

  const secret = new ClientSecretCredential("picket", "any", env.PICKET_KEY, { authorityHost: env.PICKET_URL, disableInstanceDiscovery: true });
  const recent = await connect(secret).queryWorkspace(id, "Syslog | count", { duration: "PT2H" });
  got.timespan = recent.tables[0].rows[0][0];

  const cut = await client.queryWorkspace(id, env.PICKET_MANY_ROWS, { duration: "P1D" });
  got.cut = [cut.status, cut.partialTables[0].rows.length, cut.partialError.code];

  const batch = await client.queryBatch([
    { workspaceId: id, query: "print 1", timespan: { duration: "P1D" } },
    { workspaceId: id, query: "Syslog | nope", timespan: { duration: "P1D" } },
  ]);
  got.batch = batch.map((r) => [r.status, r.tables?.[0].rows[0][0] ?? r.code]);

  const syntax = await failure(() => client.queryWorkspace(id, "Syslog | where", { duration: "P1D" }));
  got.syntax = [syntax.statusCode, syntax.code];
  const late = await failure(() => client.queryWorkspace(id, env.PICKET_ENDLESS, { duration: "P1D" }, { serverTimeoutInSeconds: 1 }));
  got.late = late.statusCode;
}

async function ingestion() {
  const secret = new ClientSecretCredential("picket", "any", env.PICKET_KEY, { authorityHost: env.PICKET_URL, disableInstanceDiscovery: true });
  const client = new LogsIngestionClient(env.PICKET_URL, secret);
  await client.upload(env.PICKET_RULE, "Custom-Client", [{ at: "2026-01-02T03:04:05Z", who: "node", n: 1 }, { who: "node", n: 2 }]);
  const failed = await failure(() => client.upload(env.PICKET_RULE, "Custom-Nope", [{ who: "node" }]));
  const cause = failed.errors[0].cause;
  got.uploads = ["done", cause.statusCode, cause.code];
}

async function kusto(url) {
  const got = {};
  const client = new Client(KustoConnectionStringBuilder.withAccessToken(url, env.PICKET_KEY));
  const all = await client.execute("NetDefaultDB", env.PICKET_ALL_TYPES);
  got["types"] = all.primaryResults[0]._rows[0];
  const props = new ClientRequestProperties();
  props.setParameter("s", "it's");
  props.setParameter("n", 42);
  const bound = await client.execute("NetDefaultDB", "declare query_parameters(s:string, n:long); print s, n", props);
  got["parameters"] = bound.primaryResults[0]._rows[0];
  const v1 = await client.executeQueryV1("NetDefaultDB", "print a = 1 | render timechart");
  got["v1"] = [v1.primaryResults[0]._rows[0], v1.tables.map((t) => t.kind)];
  const tables = await client.execute("NetDefaultDB", ".show tables | where TableName == 'Syslog' | project TableName");
  got["tables"] = tables.primaryResults[0]._rows;
  const cut = await failure(() => client.execute("NetDefaultDB", env.PICKET_MANY_ROWS));
  got["cut"] = /80DA0003/.test(cut.message);
  const syntax = await failure(() => client.execute("NetDefaultDB", "Syslog | where"));
  got["syntax"] = [syntax.response?.status, syntax.response?.data?.error?.["@type"]];
  return got;
}

await logs();
await ingestion();
got.https = await kusto(env.PICKET_URL);
got.http = await kusto(env.PICKET_HTTP_URL);
console.log(JSON.stringify(got));
process.exit(0); // connections are kept open otherwise
