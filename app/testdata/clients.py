"""Asks a server as its environment says, and prints what it got as one JSON object."""
import json
import os
from datetime import timedelta

from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.kusto.data import ClientRequestProperties, KustoClient, KustoConnectionStringBuilder
from azure.monitor.ingestion import LogsIngestionClient
from azure.monitor.query import LogsBatchQuery, LogsQueryClient

env = os.environ
got = {}


def failure(call):
    try:
        call()
    except Exception as e:
        return e
    raise SystemExit("no error where one was expected")


def logs():
    workspace = env["PICKET_WORKSPACE"]

    def connect(credential):
        return LogsQueryClient(credential, endpoint=env["PICKET_URL"], retry_total=0)

    client = connect(ManagedIdentityCredential())
    answer = client.query_workspace(workspace, env["PICKET_ALL_TYPES"] + " | render piechart", timespan=None, include_statistics=True, include_visualization=True)
    got["types"] = [str(v) for v in answer.tables[0].rows[0]]
    got["columns"] = " ".join(answer.tables[0].columns_types)
    got["statistics"] = answer.statistics["query"]["datasetStatistics"][0]["tableRowCount"]
    got["render"] = answer.visualization["visualization"]

    host = env["PICKET_URL"].replace("https://", "")
    secret = ClientSecretCredential("picket", "any", env["PICKET_KEY"], authority=host, instance_discovery=False)
    answer = connect(secret).query_workspace(workspace, "Syslog | count", timespan=timedelta(hours=2))
    got["timespan"] = answer.tables[0].rows[0][0]

    answer = client.query_workspace(workspace, env["PICKET_MANY_ROWS"], timespan=None)
    got["cut"] = [answer.status, len(answer.partial_data[0].rows), answer.partial_error.code]

    queries = [LogsBatchQuery(workspace_id=workspace, query=q, timespan=timedelta(days=1)) for q in ("print 1", "Syslog | nope")]
    good, bad = client.query_batch(queries)
    got["batch"] = [good.tables[0].rows[0][0], bad.code]

    got["syntax"] = failure(lambda: client.query_workspace(workspace, "Syslog | where", timespan=None)).status_code
    got["late"] = failure(lambda: client.query_workspace(workspace, env["PICKET_ENDLESS"], timespan=None, server_timeout=1)).status_code


def ingestion():
    credential = ClientSecretCredential("picket", "any", env["PICKET_KEY"], authority=env["PICKET_URL"].replace("https://", ""), instance_discovery=False)
    client = LogsIngestionClient(endpoint=env["PICKET_URL"], credential=credential)
    client.upload(env["PICKET_RULE"], "Custom-Client", [{"at": "2026-01-02T03:04:05Z", "who": "python", "n": 1}, {"who": "python", "n": 2}])
    error = failure(lambda: client.upload(env["PICKET_RULE"], "Custom-Nope", [{"who": "python"}]))
    got["uploads"] = ["done", error.status_code, error.error.code]


def kusto(url):
    got = {}
    client = KustoClient(KustoConnectionStringBuilder.with_aad_user_token_authentication(url, env["PICKET_KEY"]))
    answer = client.execute("NetDefaultDB", env["PICKET_ALL_TYPES"])
    got["types"] = [str(v) for v in answer.primary_results[0].rows[0]]
    props = ClientRequestProperties()
    props.set_parameter("s", "it's")
    props.set_parameter("n", 42)
    answer = client.execute("NetDefaultDB", "declare query_parameters(s:string, n:long); print s, n", props)
    got["parameters"] = list(answer.primary_results[0].rows[0])
    answer = client.execute_mgmt("NetDefaultDB", ".show tables | where TableName == 'Syslog' | project TableName")
    got["tables"] = [list(r) for r in answer.primary_results[0].rows]
    answer = client.execute("NetDefaultDB", env["PICKET_MANY_ROWS"])
    got["cut"] = [len(answer.primary_results[0]), answer.errors_count > 0]
    error = failure(lambda: client.execute("NetDefaultDB", "Syslog | where"))
    got["syntax"] = error.get_api_error().type
    streamed = client.execute_streaming_query("NetDefaultDB", "range x from 1 to 20000 step 1")
    for table in streamed.iter_primary_results():
        got["streamed"] = sum(1 for _ in table)
    slow = ClientRequestProperties()
    slow.set_option("servertimeout", timedelta(seconds=1))
    got["late"] = failure(lambda: client.execute("NetDefaultDB", env["PICKET_ENDLESS"], slow)).http_response.status_code
    return got


logs()
ingestion()
got["https"] = kusto(env["PICKET_URL"])
got["http"] = kusto(env["PICKET_HTTP_URL"])
print(json.dumps(got))
