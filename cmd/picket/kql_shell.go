package main

import "context"

// shell asks for queries on the terminal.
func (s *session) shell(context.Context) error {
	return misuse("kql takes the query as its first operand, with --file, or on standard input")
}
