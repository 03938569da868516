package syntax

import (
	"fmt"
	"reflect"
	"strings"
)

// shape writes a tree without places, to compare trees by: (Type field=value …).
func shape(n Node) string {
	var b strings.Builder
	writeShape(&b, reflect.ValueOf(n))
	return b.String()
}

func writeShape(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		writeShape(b, v.Elem())
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		writeShape(b, v.Elem())
	case reflect.Invalid:
		b.WriteString("nil")
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(' ')
			}
			writeShape(b, v.Index(i))
		}
		b.WriteByte(']')
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Name]() && !v.FieldByName("Quoted").Bool() {
			fmt.Fprintf(b, "%s", v.FieldByName("Text"))
			return
		}
		b.WriteString("(" + v.Type().Name())
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Type == reflect.TypeFor[pos]() || f.Type == reflect.TypeFor[Span]() || v.Field(i).IsZero() || f.Name == "OnX" {
				continue
			}
			b.WriteString(" " + f.Name + "=")
			writeShape(b, v.Field(i))
		}
		b.WriteByte(')')
	case reflect.String:
		fmt.Fprintf(b, "%q", v.String())
	default:
		if k, ok := v.Interface().(Kind); ok {
			fmt.Fprintf(b, "%q", k)
			return
		}
		fmt.Fprint(b, v.Interface())
	}
}
