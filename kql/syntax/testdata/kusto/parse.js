// Reads one JSON string, a query, a line. Answers each with the syntax errors
// that Microsoft's parser finds, as a JSON list of [code, start, length, message];
// places count UTF-16 units.
'use strict';
require('@kusto/language-service-next/bridge.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.js');

const { KustoCode } = globalThis.Kusto.Language;
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const found = KustoCode.Parse(JSON.parse(line)).GetSyntaxDiagnostics();
  const out = [];
  for (let i = 0; i < found.Count; i++) {
    const d = found.getItem(i);
    if (d.Severity === 'Error') out.push([d.Code, d.Start, d.Length, d.Message]);
  }
  console.log(JSON.stringify(out));
});
