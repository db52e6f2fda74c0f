// Package cli is the command line: its commands are made from the tool table (noun, then verb), so that every tool is a command with
// the same inputs, and the commands outside the table call functions of the program that app hands in. Data goes to standard
// output, progress and warnings to standard error; exit codes are documented in ExitCode.
package cli
