package rules

import "strings"

// Nearest returns the candidate that a misspelt name most likely means, and false when none is near. Upper and lower case count as the same
// letter.
func Nearest(name string, candidates []string) (string, bool) { return nearest(name, candidates) }

// nearest returns the candidate that a misspelt name most likely means: the one of the smallest edit distance, if that is small for a name
// of this length. Upper and lower case count as the same letter, and a name that differs in nothing else wins.
func nearest(name string, candidates []string) (string, bool) {
	folded := []rune(strings.ToLower(name))
	best, bestDistance := "", max(1, len(folded)/3)+1
	for _, candidate := range candidates {
		if d := distance(folded, []rune(strings.ToLower(candidate)), bestDistance); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best, best != ""
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b, or limit when it is not below.
func distance(a, b []rune, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	previous, before := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(previous[j]+1, row[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, previous, row = previous, row, before
	}
	return min(previous[len(b)], limit)
}

func didYouMean(text string) string { return "did you mean " + text + "?" }
