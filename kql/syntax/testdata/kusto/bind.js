// Reads one JSON string, a query, a line. Answers each with what Microsoft's
// binder makes of it over the tables of the file that is named first
// ({table: [[column, type], …]}): {"columns": [[name, type], …]}, or {"error": message}.
'use strict';
require('@kusto/language-service-next/bridge.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.js');

const { KustoCode, GlobalState, Symbols } = globalThis.Kusto.Language;
const { Bridge } = globalThis;

const quoted = (name) => "['" + name.replace(/\\/g, '\\\\').replace(/'/g, "\\'") + "']";
const schema = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
const tables = Object.entries(schema).map(([name, columns]) =>
  new Symbols.TableSymbol.$ctor7(name, '(' + columns.map(([c, t]) => quoted(c) + ':' + t).join(', ') + ')', null));
const globals = GlobalState.Default.WithDatabase(
  new Symbols.DatabaseSymbol.$ctor3('db', null, Bridge.toList(tables, Symbols.Symbol), false));

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const code = KustoCode.ParseAndAnalyze(JSON.parse(line), globals);
  const found = code.GetDiagnostics();
  for (let i = 0; i < found.Count; i++) {
    const d = found.getItem(i);
    if (d.Severity === 'Error') {
      console.log(JSON.stringify({ error: d.Code + ' at ' + d.Start + ': ' + d.Message }));
      return;
    }
  }
  const result = code.ResultType;
  if (!result || !result.Columns) {
    console.log(JSON.stringify({ error: 'no table' }));
    return;
  }
  console.log(JSON.stringify({ columns: Bridge.toArray(result.Columns).map((c) => [c.Name, c.Type.Name]) }));
});
