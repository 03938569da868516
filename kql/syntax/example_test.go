package syntax_test

import (
	"fmt"

	"picket/kql/syntax"
)

func ExampleParse() {
	const query = "Syslog | where Facility = 'auth' | tkae 5"
	_, problems := syntax.Parse(query)
	fmt.Print(problems.Render(query))
	// Output:
	// 1:25: expected an operator such as '==', or '|', found '='
	//   Syslog | where Facility = 'auth' | tkae 5
	//                           ^
	//   hint: '==' compares; '=' only gives a name
	// 1:36: 'tkae' is not a query operator
	//   Syslog | where Facility = 'auth' | tkae 5
	//                                      ^^^^
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
