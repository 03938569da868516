package picket

import (
	"errors"
	"fmt"
)

// Code classifies an [Error] for callers and for HTTP status codes.
type Code string

// The codes.
const (
	Invalid     Code = "invalid"     // the caller's input is wrong; 400
	Denied      Code = "denied"      // the caller may not; 403
	NotFound    Code = "not_found"   // no such thing; 404
	Conflict    Code = "conflict"    // it exists already, or has changed; 409
	Busy        Code = "busy"        // a limit is reached, try later; 429
	Unavailable Code = "unavailable" // a part is down; 503
)

// Error is an error with a message fit for users, kept apart from its cause.
type Error struct {
	Code Code
	Msg  string // what was wrong, where, and how to mend it
	Err  error  // the cause, or nil; not shown to remote callers
}

// Errorf returns an [*Error] with a formatted message. A %w operand becomes the cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Msg: err.Error(), Err: errors.Unwrap(err)}
}

// Error returns the message.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first [*Error] in err's chain, or "".
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
