// Prints what Microsoft's binder knows of functions, aggregates and plugins: a
// JSON list of {kind, name, hidden, signatures: [[{types, kind, min, max, literal}, …], …]}.
'use strict';
require('@kusto/language-service-next/bridge.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.js');

const { Functions, Aggregates, PlugIns } = globalThis.Kusto.Language;
const list = (x) => globalThis.Bridge.toArray(x);

const out = [];
for (const [kind, all] of [['function', Functions.All], ['aggregate', Aggregates.All], ['plugin', PlugIns.All]]) {
  for (const f of list(all)) {
    out.push({
      kind, name: f.Name, hidden: Boolean(f.IsHidden),
      signatures: list(f.Signatures).map((s) => list(s.Parameters).map((p) => ({
        types: list(p.DeclaredTypes).map((t) => t.Name), kind: p.TypeKind, min: p.MinOccurring, max: p.MaxOccurring,
        literal: p.ArgumentKind >= 8, values: p.Values ? list(p.Values).map(String) : [],
      }))),
    });
  }
}
console.log(JSON.stringify(out));
