package server

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"picket/kql"
)

// logAnswer writes a result as the Log Analytics query API does (Microsoft page
// "Azure Monitor Log Analytics API response format").
type logAnswer struct {
	prefer preference
	render *kql.Render
	cols   []kql.Column
	rows   int // of the table under way
}

func (a *logAnswer) table(b []byte, n int, cols []kql.Column) []byte {
	name := "PrimaryResult"
	if n > 0 {
		name = fmt.Sprintf("Table_%d", n)
		b = append(b, ',')
	} else {
		b = append(b, `{"tables":[`...)
	}
	a.cols, a.rows = cols, 0
	b = append(b, `{"name":`...)
	b = append(appendText(b, name), `,"columns":[`...)
	for i, c := range cols {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(append(b, `{"name":`...), c.Name), `,"type":"`...)
		b = append(append(b, c.Type.String()...), `"}`...)
	}
	return append(b, `],"rows":[`...)
}

// row writes a dynamic value as a string that holds JSON, as the API has it.
func (a *logAnswer) row(b []byte, row []any) []byte {
	if a.rows++; a.rows > 1 {
		b = append(b, ',')
	}
	b = append(b, '[')
	for i, v := range row {
		if i > 0 {
			b = append(b, ',')
		}
		t := a.cols[i].Type
		if t == kql.Dynamic && v != nil {
			t = kql.String
		}
		b = kql.AppendJSON(b, v, t)
	}
	return append(b, ']')
}

func (a *logAnswer) endTable(b []byte, _ tally, _ *cut) []byte { return append(b, "]}"...) }

func (a *logAnswer) end(b []byte, o outcome) []byte {
	b = append(b, ']')
	if a.prefer.statistics {
		b = append(b, `,"statistics":{"query":{"executionTime":`...)
		b = strconv.AppendFloat(b, o.took.Seconds(), 'f', 7, 64)
		b = append(b, `,"resourceUsage":{},"inputDatasetStatistics":{},"datasetStatistics":[`...)
		for i, t := range o.tables {
			if i > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `{"tableRowCount":%d,"tableSize":%d}`, t.rows, t.bytes)
		}
		b = append(b, "]}}"...)
	}
	if a.prefer.render {
		b = appendValue(append(b, `,"render":`...), logRender(a.render))
	}
	if o.cut != nil {
		b = appendValue(append(b, `,"error":`...), partialError(o.cut))
	}
	return append(b, "}\n"...)
}

// tooLargeCode is E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003, as a signed number.
const tooLargeCode = -2133196797

// partialError is the error member of an answer that is not whole.
func partialError(c *cut) map[string]any {
	inner := map[string]any{"code": "0", "message": c.msg, "severity": 2, "severityName": "Error"}
	if c.limit {
		inner["code"], inner["message"] = strconv.Itoa(tooLargeCode), tooLargeText(c)
	}
	return map[string]any{"code": "PartialError", "message": c.msg, "details": []any{
		map[string]any{"code": "EngineError", "message": "The query did not end, or its result is not whole.", "innererror": inner},
	}}
}

func tooLargeText(c *cut) string {
	return upperFirst(c.msg) + ", so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003)."
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// visualization is what the render operator asked for, with every property there
// is (Microsoft page "render operator"). Its fields are in the order of Kusto's.
type visualization struct {
	Visualization  *string  `json:"Visualization"`
	Title          *string  `json:"Title"`
	XColumn        *string  `json:"XColumn"`
	Series         []string `json:"Series"`
	YColumns       []string `json:"YColumns"`
	AnomalyColumns []string `json:"AnomalyColumns"`
	XTitle         *string  `json:"XTitle"`
	YTitle         *string  `json:"YTitle"`
	XAxis          *string  `json:"XAxis"`
	YAxis          *string  `json:"YAxis"`
	Legend         *string  `json:"Legend"`
	YSplit         *string  `json:"YSplit"`
	Accumulate     bool     `json:"Accumulate"`
	IsQuerySorted  bool     `json:"IsQuerySorted"`
	Kind           *string  `json:"Kind"`
	Ymin           any      `json:"Ymin"` // a number or "NaN"
	Ymax           any      `json:"Ymax"`
}

func visualizationOf(r *kql.Render) visualization {
	v := visualization{Ymin: "NaN", Ymax: "NaN"}
	if r == nil {
		return v
	}
	v.Visualization = &r.Kind
	for _, p := range r.Props {
		value := p.Value
		list := strings.Split(value, ",")
		number := func() any {
			if f, err := strconv.ParseFloat(value, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
				return f
			}
			return "NaN"
		}
		switch strings.ToLower(p.Name) {
		case "title":
			v.Title = &value
		case "xcolumn":
			v.XColumn = &value
		case "series":
			v.Series = list
		case "ycolumns":
			v.YColumns = list
		case "anomalycolumns":
			v.AnomalyColumns = list
		case "xtitle":
			v.XTitle = &value
		case "ytitle":
			v.YTitle = &value
		case "xaxis":
			v.XAxis = &value
		case "yaxis":
			v.YAxis = &value
		case "legend":
			v.Legend = &value
		case "ysplit":
			v.YSplit = &value
		case "accumulate":
			v.Accumulate = strings.EqualFold(value, "true")
		case "kind":
			v.Kind = &value
		case "ymin":
			v.Ymin = number()
		case "ymax":
			v.Ymax = number()
		}
	}
	return v
}

// logRender is the render member of the Log Analytics query API.
func logRender(r *kql.Render) map[string]any {
	v := visualizationOf(r)
	return map[string]any{
		"visualization": v.Visualization, "title": v.Title, "xColumn": v.XColumn, "series": v.Series, "yColumns": v.YColumns,
		"anomalyColumns": v.AnomalyColumns, "xTitle": v.XTitle, "yTitle": v.YTitle, "xAxis": v.XAxis, "yAxis": v.YAxis,
		"legend": v.Legend, "ySplit": v.YSplit, "accumulate": v.Accumulate, "isQuerySorted": v.IsQuerySorted, "kind": v.Kind,
		"annotation": "", "by": nil, "ymin": v.Ymin, "ymax": v.Ymax,
	}
}

// appendText appends text as a JSON string.
func appendText(b []byte, text string) []byte { return kql.AppendJSON(b, text, kql.String) }

// appendValue appends a value that always encodes.
func appendValue(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(b, text...)
}
