package iac

import "strings"

// maxName is how long a name made of an object's may be: with a suffix and a file's extension it stays readable and below 80 characters.
const maxName = 60

// reserved are names that Windows keeps for devices, with any extension.
var reserved = map[string]bool{"con": true, "prn": true, "aux": true, "nul": true,
	"com0": true, "com1": true, "com2": true, "com3": true, "com4": true, "com5": true, "com6": true, "com7": true, "com8": true, "com9": true,
	"lpt0": true, "lpt1": true, "lpt2": true, "lpt3": true, "lpt4": true, "lpt5": true, "lpt6": true, "lpt7": true, "lpt8": true, "lpt9": true}

// latin writes letters of Western European names in ASCII.
var latin = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "Ä", "ae", "Ö", "oe", "Ü", "ue", "à", "a", "á", "a", "â", "a", "ã", "a", "å", "a",
	"ç", "c", "è", "e", "é", "e", "ê", "e", "ë", "e", "ì", "i", "í", "i", "î", "i", "ï", "i", "ñ", "n", "ò", "o", "ó", "o", "ô", "o", "õ", "o", "ø", "o",
	"ù", "u", "ú", "u", "û", "u", "ý", "y", "æ", "ae", "œ", "oe")

// Name makes of any text a name that is an identifier in HCL and YAML and a file's name everywhere: a-z, 0-9 and _, a letter or _ in
// front, at most 60 characters. prefix goes before a name that begins with a digit or is reserved, and stands for one of which nothing is
// left; it has to be such a name itself. Different texts may give one name: see Assign.
func Name(text, prefix string) string {
	name := slug(text)
	switch {
	case name == "":
		return prefix
	case name[0] >= '0' && name[0] <= '9' || reserved[name]:
		return slug(prefix + "_" + name)
	}
	return name
}

// slug keeps letters and digits, lower-cased; each run of anything else is one _, none at the ends.
func slug(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range latin.Replace(text) {
		switch {
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		default:
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte('_')
		}
		gap = false
		b.WriteRune(r)
		if b.Len() >= maxName {
			break
		}
	}
	return strings.TrimRight(b.String()[:min(b.Len(), maxName)], "_")
}
