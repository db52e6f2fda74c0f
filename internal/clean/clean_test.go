package clean

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for name, c := range map[string]struct {
		in    string
		limit int
		want  string
	}{
		"plain":              {"jellyfin", 63, "jellyfin"},
		"exactly as long":    {"jellyfin", 8, "jellyfin"},
		"one too long":       {"jellyfin", 7, "jellyf…"},
		"runes, not bytes":   {"Größenänderung", 14, "Größenänderung"},
		"cut between runes":  {"Größenänderung", 4, "Grö…"},
		"limit one":          {"abc", 1, "…"},
		"one rune, limit 1":  {"ä", 1, "ä"},
		"limit zero":         {"abc", 0, ""},
		"limit below zero":   {"abc", -5, ""},
		"empty":              {"", 0, ""},
		"blanks at the end":  {"abc  ", 10, "abc"},
		"same with an ä":     {"äbc  ", 10, "äbc"},
		"lines and tabs":     {"a\r\nb\tc\rd", 20, "a b c d"},
		"other line breaks":  {"a\u2028b\u2029c\u0085d\ve", 20, "a b c d e"},
		"colour":             {"\x1b[1;31mred\x1b[0m text", 20, "red text"},
		"title by BEL":       {"\x1b]0;owned\atext", 20, "text"},
		"title by ST":        {"\x1b]0;owned\x1b\\text", 20, "text"},
		"device string":      {"\x1bP1;2qpayload\x1b\\text", 20, "text"},
		"character set":      {"\x1b(Btext", 20, "text"},
		"ESC at the end":     {"text\x1b", 20, "text"},
		"ESC before a break": {"a\x1b\nb", 20, "a b"},
		"unended title":      {"a\x1b]0;not hidden", 20, "a0;not hidden"},
		"unended sequence":   {"a\x1b[12 é", 20, "a12 é"},
		"title to next line": {"\x1b]0;x\nTASK ERROR\a", 30, "0;x TASK ERROR"},
		"C1 control":         {"a\u009b31mb", 20, "a31mb"},
		"bidi override":      {"abc\u202Efdp.exe", 20, "abcfdp.exe"},
		"zero width":         {"ro\u200Bot\uFEFF", 20, "root"},
		"tags":               {"hi" + string(rune(0xE0069)) + string(rune(0xE0067)), 20, "hi"},
		"variation selector": {"a\uFE0Fb" + string(rune(0xE0100)), 20, "ab"},
		"fillers":            {"a\u3164b\u115Fc\u034Fd", 20, "abcd"},
		"not UTF-8":          {"a\xff\xc3b", 20, "ab"},
		"parts of a rune":    {"\xc3\x01\xa9", 20, ""},
		"real replacement":   {"a\uFFFDb", 20, "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Line(c.in, c.limit); got != c.want {
				t.Errorf("Line(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
			}
		})
	}
}

// TestDiffer: the difference shows, wherever it is.
func TestDiffer(t *testing.T) {
	long := strings.Repeat("ä", 300)
	for name, c := range map[string]struct{ a, b, wantA, wantB string }{
		"short":      {"one\n", "two", "one", "two"},
		"at the end": {long + "one", long + "two", "…ääääone", "…äääätwo"},
		"early":      {"one" + long, "two" + long, "one" + strings.Repeat("ä", 16) + "…", "two" + strings.Repeat("ä", 16) + "…"},
		"grown":      {"one", "one" + long, "one", "one" + strings.Repeat("ä", 16) + "…"},
		"within":     {long + "1" + long, long + "2" + long, "…ääää1" + strings.Repeat("ä", 13) + "…", "…ääää2" + strings.Repeat("ä", 13) + "…"},
		"shorter":    {long, "ä", strings.Repeat("ä", 19) + "…", "ä"},
	} {
		a, b := Differ(c.a, c.b, 20)
		if a != c.wantA || b != c.wantB {
			t.Errorf("%s: %q, %q, want %q, %q", name, a, b, c.wantA, c.wantB)
		}
		if utf8.RuneCountInString(a) > 20 || utf8.RuneCountInString(b) > 20 {
			t.Errorf("%s: %q, %q are longer than 20", name, a, b)
		}
	}
}

func TestBlock(t *testing.T) {
	in := "first\r\nsecond\tx\u2028third\n\n"
	if got, want := Block(in, 100), "first\nsecond x\nthird"; got != want {
		t.Errorf("Block = %q, want %q", got, want)
	}
	if got, want := Block(in, 8), "first\ns…"; got != want {
		t.Errorf("Block cut = %q, want %q", got, want)
	}
}

// TestNothingHidden walks all of Unicode: what Line lets through is visible.
func TestNothingHidden(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if !utf8.ValidRune(r) {
			continue
		}
		out := Line("a"+string(r)+"b", 10)
		if gone := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Variation_Selector,
			unicode.Other_Default_Ignorable_Code_Point); gone == strings.ContainsRune(out, r) {
			t.Errorf("%U: hidden %t, but the line is %q", r, gone, out)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"jellyfin", "a\x1b[31mb\x1b]0;x\a", "\u202Eabc\u200B", "ä\xff€\n\r\n", strings.Repeat("ö", 50), "\x1b]\x1b[\x1bP", "a \n"} {
		f.Add(s, 10)
		f.Add(s, 0)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		line, block := Line(s, limit), Block(s, limit)
		for name, got := range map[string]string{"Line": line, "Block": block} {
			if n := utf8.RuneCountInString(got); n > max(limit, 0) {
				t.Errorf("%s(%q, %d) has %d runes", name, s, limit, n)
			}
			if !utf8.ValidString(got) {
				t.Errorf("%s(%q) is not UTF-8: %q", name, s, got)
			}
			for _, r := range got {
				if hidden(r) && (name == "Line" || r != '\n') {
					t.Errorf("%s(%q) lets %U through", name, s, r)
				}
			}
		}
		if again := Line(line, limit); again != line {
			t.Errorf("Line is not idempotent: %q, then %q", line, again)
		}
		if again := Block(block, limit); again != block {
			t.Errorf("Block is not idempotent: %q, then %q", block, again)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	for name, s := range map[string]string{"plain": "reverse proxy, https://*.home.lan", "umlauts": "Sicherung täglich, größere Änderung"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Line(s, 80)
			}
		})
	}
}
