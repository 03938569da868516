package picket

import "log/slog"

// Secret is a string that must not be shown: however it is printed, logged or
// encoded, it comes out as "***". Reveal gives the real text.
type Secret string

// Reveal returns the text itself. Call it only where the secret is used.
func (s Secret) Reveal() string { return string(s) }

// String returns "***", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString is String: %#v shows no secret either.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the secret out of JSON, YAML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
