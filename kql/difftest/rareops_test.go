package difftest

import (
	"fmt"

	"picket/kql/syntax"
)

func (e *evaluator) rareOp(r *relation, op syntax.Op, in *lets) *relation {
	switch op := op.(type) {
	case *syntax.MvExpandOp:
		out, _ := e.mvExpand(r, op.Hints, op.Items, op.Limit, in)
		return out
	}
	panic(fmt.Sprintf("no evaluation of %T", op))
}
