//! Finds the scripts that stand inside a page, for the content security policy. The build script uses this file too.

/// The texts of the scripts of `html` that have no `src`, as a browser would run them.
pub(super) fn inline_scripts(html: &str) -> Vec<&str> {
    let mut scripts = Vec::new();
    let mut rest = html;
    while let Some((tag, after)) = next_script(rest) {
        let end = find_ignoring_case(after, "</script").unwrap_or(after.len());
        if !has_src(tag) {
            scripts.push(&after[..end]);
        }
        rest = &after[end..];
    }
    scripts
}

/// The attributes of the next `<script …>` and what follows it. Comments are passed over.
fn next_script(html: &str) -> Option<(&str, &str)> {
    let mut rest = html;
    loop {
        let open = rest.find('<')?;
        rest = &rest[open..];
        if rest.starts_with("<!--") {
            rest = &rest[rest.find("-->")?..];
            continue;
        }
        let name_len = "<script".len();
        let is_script = rest.get(..name_len).is_some_and(|name| name.eq_ignore_ascii_case("<script"))
            && rest[name_len..]
                .starts_with(|next: char| next == '>' || next == '/' || next.is_ascii_whitespace());
        if is_script {
            let close = tag_end(&rest[name_len..])? + name_len;
            return Some((&rest[name_len..close], &rest[close + 1..]));
        }
        rest = &rest[1..];
    }
}

/// Where the `>` of a tag is that stands in no quotation marks.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.char_indices().find_map(|(index, letter)| {
        match (quote, letter) {
            (None, '>') => return Some(index),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None | Some(_), _) => {}
        }
        None
    })
}

/// Whether the attributes of a tag have a `src`.
fn has_src(attributes: &str) -> bool {
    let mut quote = None;
    let mut names = String::new();
    for letter in attributes.chars() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (None, '=') => names.push_str("= "),
            (None, _) => names.push(letter.to_ascii_lowercase()),
            (Some(open), _) if open == letter => {
                quote = None;
                names.push(' ');
            }
            (Some(_), _) => {}
        }
    }
    names.split_ascii_whitespace().any(|name| name.trim_end_matches('=') == "src")
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).position(|part| part.eq_ignore_ascii_case(wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_without_a_source_are_found_with_every_byte() {
        for (html, expected) in [
            ("<script>a()</script>", &["a()"][..]),
            (
                "<head><SCRIPT type=\"module\">\nimport x from './x.js';\n</SCRIPT>",
                &["\nimport x from './x.js';\n"],
            ),
            ("<script src=\"a.js\"></script><script nonce='src=x'>b</script>", &["b"]),
            ("<script data-src=\"x\" defer>c</script >", &["c"]),
            ("<script type=module src = 'x.js'></script>", &[]),
            ("<script src></script>", &[]),
            ("<!-- <script>no</script> --><script>yes</script>", &["yes"]),
            ("<script data-x=\"a>b\">d</script>", &["d"]),
            ("<scripture>no</scripture>", &[]),
            ("<script>if (a < b) { '<script' }</script><p>", &["if (a < b) { '<script' }"]),
            ("<script>open", &["open"]),
            ("<script", &[]),
            ("<p>ä<script>é</script>", &["é"]),
            ("", &[]),
        ] {
            assert_eq!(inline_scripts(html), expected, "{html}");
        }
    }
}
