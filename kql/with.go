package kql

import (
	"regexp"
	"strings"
)

var cteName = regexp.MustCompile(`\bs[0-9]+\b`)

// with writes the WITH clause of the CTEs that root needs, in order, leaving
// out what no one uses.
func (b *binder) with(root string) string {
	index := map[string]int{}
	var read identifiers
	for i, c := range b.ctes {
		index[c.name] = i
		if c.late != nil && read == nil {
			read = identifiers{}
		}
	}
	uses := make([]int, len(b.ctes))
	mark := func(sql string) {
		for _, n := range cteName.FindAllString(sql, -1) {
			if i, ok := index[n]; ok {
				uses[i]++
			}
		}
		if read != nil {
			read.add(sql)
		}
	}
	mark(root)
	sql := make([]string, len(b.ctes))
	for i := len(b.ctes) - 1; i >= 0; i-- {
		if uses[i] == 0 {
			continue
		}
		c := b.ctes[i]
		if sql[i] = c.sql; c.late != nil {
			sql[i] = c.late(read)
		}
		mark(sql[i])
	}
	var w strings.Builder
	for i, c := range b.ctes {
		if uses[i] == 0 {
			continue
		}
		if w.Len() == 0 {
			w.WriteString("WITH ")
		} else {
			w.WriteString(",\n     ")
		}
		w.WriteString(c.name)
		w.WriteString(" AS ")
		if c.cheap && uses[i] > 1 {
			w.WriteString("NOT MATERIALIZED ")
		}
		w.WriteString("(" + sql[i] + ")")
	}
	if w.Len() > 0 {
		w.WriteString("\n")
	}
	return w.String()
}

// identifiers are the quoted identifiers that occur in SQL.
type identifiers map[string]bool

// add takes those of sql.
func (s identifiers) add(sql string) {
	eachIdentifier(sql, func(id string) { s[id] = true })
}

// eachIdentifier calls f for every quoted identifier in sql, not for what stands
// in its string literals.
func eachIdentifier(sql string, f func(id string)) {
	for i := 0; i < len(sql); i++ {
		q := sql[i]
		if q != '"' && q != '\'' {
			continue
		}
		from := i
		for i++; i < len(sql); i++ {
			if sql[i] != q {
				continue
			}
			if i+1 < len(sql) && sql[i+1] == q { // a doubled quote is one in the text
				i++
				continue
			}
			break
		}
		if q == '"' && i < len(sql) {
			f(sql[from : i+1])
		}
	}
}
