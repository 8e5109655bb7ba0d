//! Which compression a client takes (RFC 9110, 12.5.3).

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;

/// A form in which a file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Compressed by brotli.
    Brotli,
    /// Compressed by gzip.
    Gzip,
    /// As it is.
    Identity,
}

impl Coding {
    /// All, the smallest first: the order among those that a client likes equally.
    const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Identity];

    /// The value of `Content-Encoding`, where there is one.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }
}

/// The coding that the client likes best among those that are `offered`.
///
/// A client that refuses everything gets the file as it is: a page is of more use than status 406.
pub(super) fn choose(headers: &HeaderMap, offered: impl Fn(Coding) -> bool) -> Coding {
    let wishes: Vec<(String, u16)> = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(wish)
        .collect();
    let mut best = (Coding::Identity, 0);
    for coding in Coding::ALL {
        let quality = quality(&wishes, coding);
        if quality > best.1 && offered(coding) {
            best = (coding, quality);
        }
    }
    best.0
}

/// One item of the header: the name, and its weight in thousandths.
fn wish(item: &str) -> Option<(String, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let mut weight = 1000;
    for part in parts {
        if let Some((key, value)) = part.split_once('=')
            && key.trim().eq_ignore_ascii_case("q")
        {
            // A weight that is none is no wish at all.
            let value: f32 = value.trim().parse().ok().filter(|value| (0.0..=1.0).contains(value))?;
            weight = (value * 1000.0).round() as u16;
        }
    }
    Some((name, weight))
}

fn quality(wishes: &[(String, u16)], coding: Coding) -> u16 {
    let of = |wanted: &str| wishes.iter().find(|(name, _)| name == wanted).map(|(_, weight)| *weight);
    match coding {
        Coding::Brotli => of("br").or_else(|| of("*")).unwrap_or(0),
        Coding::Gzip => of("gzip").or_else(|| of("x-gzip")).or_else(|| of("*")).unwrap_or(0),
        // Fine unless it is refused, but behind whatever the client names.
        Coding::Identity => of("identity").or_else(|| of("*")).unwrap_or(1),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn chosen(header: Option<&'static str>) -> Coding {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(header));
        }
        choose(&headers, |_| true)
    }

    #[test]
    fn the_client_gets_what_it_likes_best_and_of_equals_the_smallest() {
        for (header, expected) in [
            (None, Coding::Identity),
            (Some(""), Coding::Identity),
            (Some("gzip, deflate, br, zstd"), Coding::Brotli),
            (Some("gzip"), Coding::Gzip),
            (Some("x-gzip"), Coding::Gzip),
            (Some("br;q=0.5, gzip;q=0.8"), Coding::Gzip),
            (Some("br;q=0, gzip"), Coding::Gzip),
            (Some("BR; Q=1.0"), Coding::Brotli),
            (Some("*"), Coding::Brotli),
            (Some("*;q=0, gzip"), Coding::Gzip),
            (Some("br;q=0, *"), Coding::Gzip),
            (Some("identity, br;q=0.9"), Coding::Identity),
            (Some("identity;q=0, gzip;q=0.001"), Coding::Gzip),
            (Some("br;q=2"), Coding::Identity),
            (Some("br;q=nan, gzip"), Coding::Gzip),
            (Some("deflate"), Coding::Identity),
            (Some("*;q=0"), Coding::Identity),
            (Some(";;,,;q=1, gzip"), Coding::Gzip),
        ] {
            assert_eq!(chosen(header), expected, "{header:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_chosen() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("br"));
        headers.append(ACCEPT_ENCODING, HeaderValue::from_static("gzip;q=0.1"));
        assert_eq!(choose(&headers, |coding| coding != Coding::Brotli), Coding::Gzip);
        assert_eq!(choose(&headers, |coding| coding == Coding::Identity), Coding::Identity);
    }
}
