"""What is put into a page is escaped, whoever wrote it, unless it is HTML by declaration."""

from jaxgan.report.html import Html, details, entries, figure, html, lines, page, table, tag

EVIL = "<script>\"&'</script>"
SAFE = "&lt;script&gt;&quot;&amp;&#x27;&lt;/script&gt;"


def test_text_is_escaped_wherever_it_goes():
    whole = page(
        EVIL,
        EVIL,
        [EVIL, (EVIL,)],
        tag("p", EVIL, title=EVIL),
        table([EVIL], [[EVIL]]),
        entries({"a": {EVIL: EVIL}}),
        details(EVIL, EVIL),
        figure(EVIL, EVIL, EVIL),
        lines([EVIL, EVIL]),
    )
    assert EVIL not in whole
    assert whole.count(SAFE) == 17


def test_html_passes_and_what_is_made_of_it_by_other_means_does_not():
    bold = tag("b", "x < 1", class_="bad", aria_label="one")
    assert bold == '<b class="bad" aria-label="one">x &lt; 1</b>'
    assert html(bold, None, 3) == bold + "3"
    assert tag("br") == "<br>"
    assert (
        html(bold + "<i>")
        == "&lt;b class=&quot;bad&quot; aria-label=&quot;one&quot;&gt;x &amp;lt; 1&lt;/b&gt;&lt;i&gt;"
    )
    assert isinstance(html([bold, "a"]), Html)


def test_tables_align_numbers_and_mark_rows():
    made = table(("name", "value"), [("a", 1), ("b", None)], numbers=(1,), marked=(1,))
    assert "<tr><th>name</th><th class=n>value</th></tr>" in made
    assert "<tr><td>a</td><td class=n>1</td></tr><tr class=bad><td>b</td><td class=n></td></tr>" in made
    assert "<th" not in table((), [("a",)])
    assert "<td>a.b.c</td><td>1</td>" in entries({"a": {"b": {"c": 1}}})
