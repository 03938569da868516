// Command picket is Picket: see "picket help".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

const usage = `Picket answers, for every IP address in your logs: who is this, and what do they want?

Usage:
  picket demo   [--log FILE] [--once] [--format table|json]
                                    run the whole job here and now, in a temporary folder
  picket serve  --data DIR [--config picket.yaml] [--listen ADDR] [--listen-tls ADDR]
                [--syslog ADDR] [--log FILE]
                                    run as a service
  picket query  [--data DIR] [--format FORMAT] [--limit ROWS] 'KQL'
                                    ask a running server
  picket kql    ['KQL'] [FILE]...   run KQL over files (CSV, JSON, Parquet, logs), without a server;
                                    picket kql --help tells more
  picket enrich FILE…|-             find the addresses in files, and say who each is and what it wants
  picket lookup IP…                 what is known of an address, on one screen
  picket verdict set|list|drop      decide for an address or a network, whatever the sources say
  picket usage  [--since DAY] [--by provider|playbook|incident]
                                    what asking providers has cost, and what was saved
  picket usage  statement --data DIR [--month MONTH] [--key ID] [--format table|json|csv]
                                    what the owners of API keys owe for a month
  picket data   update|list         fetch the data sets that answers come from without asking anybody
  picket key    create|list|rotate|revoke  [--data DIR] [--name NAME] [--scope SCOPES] [ID]
  picket key    shared              what senders of the HTTP Data Collector API sign with
  picket agent  --server URL --token TOKEN [--ca FILE] [--rule NAME] [--data DIR]
                                    on any Linux host: enrol, and send its logs and a heartbeat a minute
  picket host   token|list|revoke   [--data DIR] [HOST]
                                    the hosts that have enrolled
  picket dcr    list                [--data DIR]
                                    the data collection rules, and what becomes of their records
  picket reputation import          [--data DIR] FILE
                                    teach the reputation store what is known of addresses
  picket function create|list|show|delete [--data DIR] [--file FILE] [--parameters PARAMS] [NAME]
                                    functions that queries and rules can call
  picket watchlist create|list|show|delete [--data DIR] [--file CSV] [--key COLUMN] [ALIAS]
                                    lists for _GetWatchlist
  picket incident list              [--data DIR] [--format table|json]
  picket ca     --data DIR [--export]
                                    what clients need to trust the server's certificate
  picket version

Commands that talk to a server find it through --data DIR, or through the
environment: PICKET_URL and PICKET_KEY.

Example:
  picket serve --data /var/lib/picket &
  logger --server 127.0.0.1 --port 5514 --tcp --tag sshd 'Failed password for root from 203.0.113.7 port 51022 ssh2'
  picket query --data /var/lib/picket 'Syslog | take 10'
`

// exit codes: 0 done, 1 failed, 2 called wrongly.
func main() {
	// Whatever Picket writes is for its owner's eyes: logs, keys, incidents. The
	// stores make files of their own, such as DuckDB's log of changes.
	syscall.Umask(0o077)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}))
}

// stdio is what a command reads and writes.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// usageError is a mistake in how a command was called.
type usageError struct{ msg string }

func (e usageError) Error() string { return e.msg }

func misuse(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

// run runs one command and returns the exit code.
func run(ctx context.Context, args []string, io stdio) int {
	err := dispatch(ctx, args, io)
	var wrong usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(io.err, "picket: %s\nSee \"picket help\".\n", wrong.msg)
		return 2
	default:
		fmt.Fprintf(io.err, "picket: %v\n", err)
		return 1
	}
}

func dispatch(ctx context.Context, args []string, io stdio) error {
	if len(args) == 0 {
		fmt.Fprint(io.err, usage)
		return usageError{"which command?"}
	}
	switch name, rest := args[0], args[1:]; name {
	case "demo":
		return demo(ctx, rest, io)
	case "serve":
		return serve(ctx, rest, io)
	case "query":
		return query(ctx, rest, io)
	case "kql":
		return kqlCommand(ctx, rest, io)
	case "enrich":
		return enrich(ctx, rest, io)
	case "lookup":
		return lookup(ctx, rest, io)
	case "verdict":
		return verdictCommand(ctx, rest, io)
	case "usage":
		return usageCommand(ctx, rest, io)
	case "data":
		return dataCommand(ctx, rest, io)
	case "key":
		return key(ctx, rest, io)
	case "agent":
		return agentCommand(ctx, rest, io)
	case "host":
		return hostCommand(ctx, rest, io)
	case "dcr":
		return dcrCommand(ctx, rest, io)
	case "reputation":
		return reputationCommand(ctx, rest, io)
	case "ca":
		return ca(ctx, rest, io)
	case "function":
		return functionCommand(ctx, rest, io)
	case "watchlist":
		return watchlistCommand(ctx, rest, io)
	case "incident":
		return incidentCommand(ctx, rest, io)
	case "version", "--version":
		fmt.Fprintln(io.out, "picket", version())
		return nil
	case "help", "-h", "--help":
		fmt.Fprint(io.out, usage)
		return nil
	default:
		return misuse("unknown command %q", name)
	}
}

// group tells whether args ask a command of several, such as key, for help, and
// gives it then.
func group(args []string, stdio stdio) bool {
	return groupHelp(args, usage, stdio)
}

// groupHelp is group for a command with a help of its own.
func groupHelp(args []string, help string, stdio stdio) bool {
	if len(args) == 0 {
		return false
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdio.out, help)
		return true
	}
	return false
}

// version is the version the binary was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0"
}

// parse reads flags, also when they stand behind the operands, and returns the operands.
func parse(fs *flag.FlagSet, args []string, stdio stdio) ([]string, error) {
	return parseWith(fs, "Flags of picket "+fs.Name()+":\n", args, stdio)
}

// parseWith is parse for a command with a help of its own, which the flags follow.
func parseWith(fs *flag.FlagSet, help string, args []string, stdio stdio) ([]string, error) {
	fs.SetOutput(io.Discard) // of mistakes; they are told once, as all are
	fs.Usage = func() {}
	var operands []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				fmt.Fprint(stdio.out, help)
				fs.SetOutput(stdio.out)
				fs.PrintDefaults()
				return nil, err
			}
			return nil, misuse("%s: %v", fs.Name(), err)
		}
		if fs.NArg() == 0 {
			return operands, nil
		}
		operands = append(operands, fs.Arg(0))
		args = fs.Args()[1:]
	}
}
