package syntax_test

import (
	"fmt"

	"picket/kql/syntax"
)

func ExampleParse() {
	const query = "Syslog | where Facility === 'auth' | tkae 5"
	_, problems := syntax.Parse(query)
	fmt.Print(problems.Render(query))
	// Output:
	// 1:27: expected an expression, found '='
	//   Syslog | where Facility === 'auth' | tkae 5
	//                             ^
	//   hint: '==' compares; there is no '==='
	// 1:38: 'tkae' is not a query operator
	//   Syslog | where Facility === 'auth' | tkae 5
	//                                        ^^^^
	//   hint: did you mean 'take'?
}

func ExamplePrint() {
	q, _ := syntax.Parse("Syslog|where Facility=='auth'|take 5")
	fmt.Println(syntax.Print(q))
	// Output:
	// Syslog
	// | where Facility == "auth"
	// | take 5
}
