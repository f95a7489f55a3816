package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd writes a completion script. It is made from the grammar, so that it knows every verb and flag of this build.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"One of ${enum}."`
}

// Help is the long help.
func (*completionCmd) Help() string {
	return `
    eligibility completion bash > /etc/bash_completion.d/eligibility
    eligibility completion zsh  > "${fpath[1]}/_eligibility"
    eligibility completion fish > ~/.config/fish/completions/eligibility.fish`
}

// Run is called by the parser.
func (c *completionCmd) Run(std streams, model *kong.Application) error {
	scripts := map[string]func(*strings.Builder, *kong.Application){"bash": bash, "zsh": zsh, "fish": fish}
	var b strings.Builder
	scripts[c.Shell](&b, model)
	_, err := std.out.WriteString(b.String())
	return err
}

// flagsOf are the flags that can follow a verb or one of the verbs below it, the global ones included.
func flagsOf(verb *kong.Node) []*kong.Flag {
	var flags []*kong.Flag
	seen := map[string]bool{}
	nodes := append([]*kong.Node{verb}, verb.Children...)
	for _, node := range nodes {
		for _, group := range node.AllFlags(true) {
			for _, flag := range group {
				if !seen[flag.Name] {
					seen[flag.Name] = true
					flags = append(flags, flag)
				}
			}
		}
	}
	return flags
}

// wordsAfter are the words that a verb takes first: the verbs below it, or the values of its arguments.
func wordsAfter(verb *kong.Node) []string {
	var words []string
	for _, below := range verb.Children {
		words = append(words, below.Name)
	}
	for _, positional := range verb.Positional {
		words = append(words, positional.EnumSlice()...)
	}
	return words
}

// spelt are the ways to write a flag.
func spelt(flags []*kong.Flag) []string {
	var words []string
	for _, flag := range flags {
		words = append(words, "--"+flag.Name)
		if flag.Tag.Negatable != "" {
			words = append(words, "--no-"+flag.Name)
		}
	}
	return words
}

// named reports whether the flag takes a file or directory.
func named(flag *kong.Flag) bool { return flag.Tag.Type == "path" }

func bash(b *strings.Builder, model *kong.Application) {
	verbs := make([]string, len(model.Children))
	for i, verb := range model.Children {
		verbs[i] = verb.Name
	}
	b.WriteString("# bash completion for eligibility\n_eligibility() {\n")
	b.WriteString("  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb= i\n")
	b.WriteString("  for ((i = 1; i < COMP_CWORD; i++)); do\n    case ${COMP_WORDS[i]} in\n")
	fmt.Fprintf(b, "      %s) verb=${COMP_WORDS[i]}; break ;;\n    esac\n  done\n  case $before in\n", strings.Join(verbs, "|"))
	seen := map[string]bool{}
	for _, verb := range model.Children {
		for _, flag := range flagsOf(verb) {
			if seen[flag.Name] || flag.IsBool() {
				continue
			}
			seen[flag.Name] = true
			switch {
			case flag.Enum != "":
				fmt.Fprintf(b, "    --%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n", flag.Name, strings.Join(flag.EnumSlice(), " "))
			case named(flag):
				fmt.Fprintf(b, "    --%s) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", flag.Name)
			}
		}
	}
	b.WriteString("  esac\n  case $verb in\n")
	for _, verb := range model.Children {
		words := append(spelt(flagsOf(verb)), wordsAfter(verb)...)
		fmt.Fprintf(b, "    %s) COMPREPLY=($(compgen -W '%s' -- \"$word\")) ;;\n", verb.Name, strings.Join(words, " "))
	}
	fmt.Fprintf(b, "    *) COMPREPLY=($(compgen -W '%s --help' -- \"$word\")) ;;\n  esac\n}\n", strings.Join(verbs, " "))
	b.WriteString("complete -F _eligibility eligibility\n")
}

func zsh(b *strings.Builder, model *kong.Application) {
	b.WriteString("#compdef eligibility\n_eligibility() {\n  local -a verbs\n  verbs=(\n")
	for _, verb := range model.Children {
		fmt.Fprintf(b, "    %s\n", quoted(verb.Name+":"+verb.Help))
	}
	b.WriteString("  )\n  if (( CURRENT == 2 )); then\n    _describe verb verbs\n    return\n  fi\n  case $words[2] in\n")
	for _, verb := range model.Children {
		fmt.Fprintf(b, "    %s) _arguments", verb.Name)
		for _, flag := range flagsOf(verb) {
			spec := "--" + flag.Name + "[" + strings.NewReplacer("[", "(", "]", ")", ":", " -").Replace(flag.Help) + "]"
			switch {
			case flag.IsBool():
			case flag.Enum != "":
				spec += ":value:(" + strings.Join(flag.EnumSlice(), " ") + ")"
			case named(flag):
				spec += ":file:_files"
			default:
				spec += ":value:"
			}
			fmt.Fprintf(b, " \\\n      %s", quoted(spec))
		}
		if words := wordsAfter(verb); len(words) > 0 {
			fmt.Fprintf(b, " \\\n      %s", quoted("2:word:("+strings.Join(words, " ")+")"))
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString("  esac\n}\n_eligibility \"$@\"\n")
}

func fish(b *strings.Builder, model *kong.Application) {
	b.WriteString("# fish completion for eligibility\ncomplete -c eligibility -f\n")
	for _, verb := range model.Children {
		fmt.Fprintf(b, "complete -c eligibility -n __fish_use_subcommand -a %s -d %s\n", verb.Name, quoted(verb.Help))
		under := quoted("__fish_seen_subcommand_from " + verb.Name)
		for _, flag := range flagsOf(verb) {
			fmt.Fprintf(b, "complete -c eligibility -n %s -l %s -d %s", under, flag.Name, quoted(flag.Help))
			switch {
			case flag.IsBool():
			case flag.Enum != "":
				fmt.Fprintf(b, " -x -a %s", quoted(strings.Join(flag.EnumSlice(), " ")))
			case named(flag):
				b.WriteString(" -r -F")
			default:
				b.WriteString(" -x")
			}
			b.WriteByte('\n')
		}
		if words := wordsAfter(verb); len(words) > 0 {
			fmt.Fprintf(b, "complete -c eligibility -n %s -a %s\n", under, quoted(strings.Join(words, " ")))
		}
	}
}

// quoted is text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
