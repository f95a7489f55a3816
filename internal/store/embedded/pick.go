package embedded

import "bytes"

// pick appends the object of those members of an object that are named, ascending. It passes over the others without looking into them, so that it has to be an object as mergeAttributes writes it: valid,
// without white space, and with its members by ascending name. Where it finds that it is not, ok is false.
func pick(dst, object []byte, names []string) (picked []byte, ok bool) {
	if len(object) < 2 || object[0] != '{' {
		return dst, false
	}
	begin := len(dst)
	dst = append(dst, '{')
	if object[1] == '}' {
		return append(dst, '}'), len(object) == 2
	}
	var last []byte // the greatest name so far that is written as it is
	for at := 1; len(names) > 0; {
		after := pastText(object, at)
		if after < 0 || after >= len(object) || object[after] != ':' {
			return dst[:begin], false
		}
		name, end := object[at+1:after-1], pastValue(object, after+1)
		if end < 0 || end >= len(object) {
			return dst[:begin], false
		}
		if bytes.IndexByte(name, '\\') < 0 { // no name that is asked for has anything to be escaped
			if bytes.Compare(name, last) <= 0 && last != nil {
				return dst[:begin], false
			}
			for last = name; len(names) > 0 && names[0] < string(name); {
				names = names[1:]
			}
			if len(names) > 0 && names[0] == string(name) {
				if len(dst) > begin+1 {
					dst = append(dst, ',')
				}
				dst, names = append(dst, object[at:end]...), names[1:]
			}
		}
		if at = end + 1; object[end] == '}' {
			return append(dst, '}'), at == len(object)
		}
		if object[end] != ',' {
			return dst[:begin], false
		}
	}
	return append(dst, '}'), true
}

// pastText is the index after the text that begins at an index, -1 when there is none.
func pastText(json []byte, at int) int {
	if at >= len(json) || json[at] != '"' {
		return -1
	}
	for at++; ; at++ {
		n := bytes.IndexByte(json[at:], '"')
		if n < 0 {
			return -1
		}
		at += n
		escapes := 0
		for json[at-1-escapes] == '\\' { // it ends at the quotation mark before the text at the latest
			escapes++
		}
		if escapes%2 == 0 {
			return at + 1
		}
	}
}

// pastValue is the index after the value that begins at an index, -1 when it does not end.
func pastValue(json []byte, at int) int {
	for depth := 0; at >= 0 && at < len(json); {
		switch json[at] {
		case '"':
			if at = pastText(json, at); depth == 0 {
				return at
			}
		case '{', '[':
			depth++
			at++
		case '}', ']':
			if depth--; depth < 0 {
				return at // of what the value stands in
			}
			if at++; depth == 0 {
				return at
			}
		case ',':
			if depth == 0 {
				return at
			}
			at++
		default:
			at++
		}
	}
	return -1
}
