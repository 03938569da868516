package incident

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"unicode/utf8"

	"picket"
	"picket/state"
)

// An Update changes an incident. Fields that are empty, or nil, leave what is there.
type Update struct {
	Title        string
	Severity     picket.Severity
	Status       string  // New, Active, Closed
	Owner        *string // empty takes the owner away
	AddLabels    []string
	RemoveLabels []string

	// For closing; Undetermined when nothing is said.
	Classification        string // Undetermined, TruePositive, BenignPositive, FalsePositive
	ClassificationReason  string // SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic, InaccurateData
	ClassificationComment string
}

func statuses() []string { return []string{"New", "Active", "Closed"} }
func severities() []string {
	return []string{"Informational", "Low", "Medium", "High"}
}
func classifications() []string {
	return []string{"Undetermined", "TruePositive", "BenignPositive", "FalsePositive"}
}
func reasons() []string {
	return []string{"SuspiciousActivity", "SuspiciousButExpected", "IncorrectAlertLogic", "InaccurateData"}
}

// oneOf finds s in list without regard to case and returns it as list spells it.
func oneOf(s string, list []string) (string, bool) {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return v, true
		}
	}
	return "", false
}

// wordList returns the words as a sentence has them: A, B or C.
func wordList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// check brings the update's words into their proper spelling.
func (u *Update) check() error {
	for _, f := range []struct {
		name  string
		value *string
		words []string
	}{
		{"severity", (*string)(&u.Severity), severities()},
		{"status", &u.Status, statuses()},
		{"classification", &u.Classification, classifications()},
		{"classification reason", &u.ClassificationReason, reasons()},
	} {
		if *f.value == "" {
			continue
		}
		w, ok := oneOf(*f.value, f.words)
		if !ok {
			return picket.Errorf(picket.Invalid, "%s: found %q; expected %s", f.name, *f.value, wordList(f.words))
		}
		*f.value = w
	}
	u.AddLabels, u.RemoveLabels = trimmed(u.AddLabels), trimmed(u.RemoveLabels)
	return nil
}

func trimmed(list []string) []string {
	var out []string
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// apply makes the update and reports whether it changed anything.
func (u *Update) apply(in *picket.Incident) bool {
	before := *in
	set := func(field *string, v string) {
		if v != "" {
			*field = v
		}
	}
	set(&in.Title, cut(u.Title, maxTitle, " …"))
	set((*string)(&in.Severity), string(u.Severity))
	set(&in.Status, u.Status)
	if u.Owner != nil {
		in.Owner = *u.Owner
	}
	in.Labels = slices.Clone(in.Labels)
	for _, l := range u.AddLabels {
		if !slices.ContainsFunc(in.Labels, func(h string) bool { return strings.EqualFold(h, l) }) {
			in.Labels = append(in.Labels, l)
		}
	}
	for _, l := range u.RemoveLabels {
		in.Labels = slices.DeleteFunc(in.Labels, func(h string) bool { return strings.EqualFold(h, l) })
	}
	if in.Status == "Closed" {
		set(&in.Classification, u.Classification)
		set(&in.ClassificationReason, u.ClassificationReason)
		set(&in.ClassificationComment, u.ClassificationComment)
		if in.Classification == "" {
			in.Classification = "Undetermined"
		}
	}
	return in.Title != before.Title || in.Severity != before.Severity || in.Status != before.Status || in.Owner != before.Owner ||
		!slices.Equal(in.Labels, before.Labels) || in.Classification != before.Classification ||
		in.ClassificationReason != before.ClassificationReason || in.ClassificationComment != before.ClassificationComment
}

// Update changes an incident and returns it. An update that changes nothing
// leaves no trace.
func (d *Desk) Update(ctx context.Context, id string, u Update, by Actor) (picket.Incident, error) {
	if err := u.check(); err != nil {
		return picket.Incident{}, err
	}
	var after picket.Incident
	err := d.st.Tx(ctx, func(tx *sql.Tx) error {
		before, err := state.LoadIncident(ctx, tx, id)
		if err != nil {
			return err
		}
		after = before
		if !u.apply(&after) {
			return nil
		}
		if err := d.change(ctx, tx, before, after, change{by: by}); err != nil {
			return err
		}
		after, err = state.LoadIncident(ctx, tx, id) // automation may have had its say
		return err
	})
	d.wake()
	return after, err
}

// Comment writes a comment on an incident. A comment of the same ID is
// replaced; the same comment again changes nothing. Too long a message is cut.
// An incident takes 100 comments: one more is an error of code [picket.Conflict].
func (d *Desk) Comment(ctx context.Context, id string, c picket.Comment, by Actor) error {
	if c.ID == "" || strings.TrimSpace(c.Message) == "" {
		return picket.Errorf(picket.Invalid, "a comment needs an ID and a message")
	}
	if c.Author == "" {
		c.Author = by.modifiedBy()
	}
	c.Message = cut(c.Message, maxCommentChars, cutMark)
	err := d.st.Tx(ctx, func(tx *sql.Tx) error {
		before, err := state.LoadIncident(ctx, tx, id)
		if err != nil {
			return err
		}
		after, c := before, c
		after.Comments = slices.Clone(before.Comments)
		i := slices.IndexFunc(after.Comments, func(h picket.Comment) bool { return h.ID == c.ID })
		switch {
		case i >= 0 && after.Comments[i].Message == c.Message:
			return nil
		case i >= 0:
			c.Created = after.Comments[i].Created
			after.Comments[i] = c
		case len(before.Comments) >= maxComments:
			return picket.Errorf(picket.Conflict, "incident %d has %d comments, which is as many as it takes", before.Number, len(before.Comments))
		default:
			if c.Created.IsZero() {
				c.Created = d.now().UTC()
			}
			after.Comments = append(after.Comments, c)
		}
		if err := state.PutComment(ctx, tx, id, c); err != nil {
			return err
		}
		return d.change(ctx, tx, before, after, change{by: by, comments: []picket.Comment{c}})
	})
	d.wake()
	return err
}

// cut cuts s to limit characters, mark included.
func cut(s string, limit int, mark string) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-utf8.RuneCountInString(mark)]) + mark
}
