//! Values of options as people write them: times, framings, probes, payloads. Limits are the configuration's business.

use crate::encoding::unescape;
use bytes::Bytes;
use keepline::{
    Addresses, Choice, Endian, EndpointOrder, Framing, Keepalive, LengthPrefixed, Matcher, Profile, RetryAfter, Step,
    WhileDown,
};
use std::time::Duration;

/// Reads `500ms`, `10s`, `1.5s`, `2m`, `1h`, `30d`; a bare number means seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err("must end with ms, s, m, h or d".to_owned()),
    };
    // Digits and a point only: no sign, no exponent, no NaN.
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err("must be a number with a unit, as in 10s".to_owned());
    }
    let number: f64 = number.parse().map_err(|_| "must be a number with a unit, as in 10s".to_owned())?;
    // Whole nanoseconds from whole milliseconds: 0.3 s must not read back as 299.999 ms.
    let millis = number * seconds * 1_000.0;
    let duration = if millis.fract() == 0.0 && millis < 1e15 {
        Duration::from_millis(millis as u64)
    } else {
        Duration::try_from_secs_f64(number * seconds).map_err(|_| "is too long".to_owned())?
    };
    Ok(duration)
}

/// Reads a time, or `off`.
pub(crate) fn duration_or_off(text: &str) -> Result<Choice<Duration>, String> {
    if text == "off" { Ok(Choice::Off) } else { duration(text).map(Choice::On) }
}

/// Reads `20s/5s/6`, or `off`.
pub(crate) fn keepalive(text: &str) -> Result<Choice<Keepalive>, String> {
    if text == "off" {
        return Ok(Choice::Off);
    }
    let parts: Vec<&str> = text.split('/').collect();
    let [idle, interval, retries] = parts[..] else {
        return Err("must be IDLE/INTERVAL/RETRIES as in 20s/5s/6, or off".to_owned());
    };
    let retries = retries.parse().map_err(|_| "retries must be a whole number".to_owned())?;
    Ok(Choice::On(Keepalive { idle: duration(idle)?, interval: duration(interval)?, retries }))
}

/// Reads `lines`, `length:4`, `length:2le`, `fixed:8`, `delimiter:\0` and the others.
pub(crate) fn framing(text: &str) -> Result<Framing, String> {
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    match (name, value) {
        ("raw", None) => Ok(Framing::Raw),
        ("lines", None) => Ok(Framing::lines()),
        ("resp", None) => Ok(Framing::resp()),
        ("modbus", None) => Ok(Framing::modbus_tcp()),
        ("length", Some(value)) => {
            let (width, endian) = match value.strip_suffix("le") {
                Some(width) => (width, Endian::Little),
                None => (value.strip_suffix("be").unwrap_or(value), Endian::Big),
            };
            let width = width.parse().map_err(|_| "length must be 1, 2, 4 or 8 bytes, as in length:4".to_owned())?;
            Ok(LengthPrefixed::new(width).endian(endian).into())
        }
        ("fixed", Some(value)) => {
            let size = value.parse().map_err(|_| "fixed needs a number of bytes, as in fixed:8".to_owned())?;
            Ok(Framing::fixed(size))
        }
        ("delimiter", Some(value)) => Ok(Framing::delimiter(unescape(value)?)),
        _ => Err("must be raw, lines, resp, modbus, length:BYTES, fixed:BYTES or delimiter:TEXT".to_owned()),
    }
}

/// Reads bytes with escapes.
pub(crate) fn payload(text: &str) -> Result<Bytes, String> {
    unescape(text).map(Bytes::from)
}

/// Reads `any`, `none`, `exact:TEXT`, `prefix:TEXT`; other text is exact.
pub(crate) fn matcher(text: &str) -> Result<Matcher, String> {
    match text.split_once(':') {
        Some(("exact", bytes)) => payload(bytes).map(Matcher::Exact),
        Some(("prefix", bytes)) => payload(bytes).map(Matcher::Prefix),
        Some(_) | None => match text {
            "any" => Ok(Matcher::Any),
            "none" => Ok(Matcher::None),
            exact => payload(exact).map(Matcher::Exact),
        },
    }
}

/// Reads a step of a greeting: `send:TEXT`, `credentials:TEXT` with `{}`, `expect:REPLY`, `refused:REPLY`,
/// `retry-after:TIME:REPLY`.
pub(crate) fn step(text: &str) -> Result<Step, String> {
    let steps = "must be send:TEXT, credentials:TEXT, expect:REPLY, refused:REPLY or retry-after:TIME:REPLY";
    let (kind, rest) = text.split_once(':').ok_or(steps)?;
    Ok(match kind {
        "send" => Step::Send(payload(rest)?),
        "credentials" => {
            let (prefix, suffix) = rest.split_once("{}").ok_or("must have {} where the credentials go")?;
            if suffix.contains("{}") {
                return Err("must have {} only once".to_owned());
            }
            Step::SendCredentials { prefix: payload(prefix)?, suffix: payload(suffix)? }
        }
        "expect" => Step::Expect(matcher(rest)?),
        "refused" => Step::Refused(matcher(rest)?),
        "retry-after" => {
            let (time, reply) = rest.split_once(':').ok_or("must be retry-after:TIME:REPLY")?;
            Step::RetryAfter(RetryAfter { when: matcher(reply)?, marker: None, otherwise: duration(time)? })
        }
        _ => return Err(steps.to_owned()),
    })
}

/// Reads a number, or `off`.
pub(crate) fn count_or_off(text: &str) -> Result<Choice<u32>, String> {
    if text == "off" {
        return Ok(Choice::Off);
    }
    text.parse().map(Choice::On).map_err(|_| "must be a whole number, or off".to_owned())
}

/// Reads `ENDPOINT=WEIGHT`.
pub(crate) fn weight(text: &str) -> Result<(String, u32), String> {
    let (endpoint, weight) = text.rsplit_once('=').ok_or("must be ENDPOINT=WEIGHT, as in a.example:4222=3")?;
    let weight = weight.parse().map_err(|_| "the weight must be a whole number".to_owned())?;
    Ok((endpoint.to_owned(), weight))
}

/// Reads the name of a profile.
pub(crate) fn profile(text: &str) -> Result<Profile, String> {
    named(text, Profile::ALL, Profile::as_str)
}

/// Reads `queue` or `reject`.
pub(crate) fn while_down(text: &str) -> Result<WhileDown, String> {
    named(text, WhileDown::ALL, WhileDown::as_str)
}

/// Reads `happy_eyeballs` or `one_at_a_time`.
pub(crate) fn addresses(text: &str) -> Result<Addresses, String> {
    named(text, Addresses::ALL, Addresses::as_str)
}

/// Reads `shuffled` or `ordered`.
pub(crate) fn endpoint_order(text: &str) -> Result<EndpointOrder, String> {
    named(text, EndpointOrder::ALL, EndpointOrder::as_str)
}

fn named<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    all.iter().copied().find(|value| name(*value) == text).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|value| name(*value)).collect();
        format!("must be one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_exactly() {
        for (text, millis) in
            [("500ms", 500), ("10s", 10_000), ("10", 10_000), ("1.5s", 1_500), ("0.3s", 300), ("2m", 120_000), ("0", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
    }

    #[test]
    fn nonsense_is_no_duration() {
        for text in ["", "s", "-1s", "NaN", "inf", "1e3s", "1.2.3s", "10 s", "10parsec", "99999999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn framings_are_read() {
        for (text, name) in [
            ("raw", "raw"),
            ("lines", "lines"),
            ("resp", "resp"),
            ("modbus", "modbus_tcp"),
            ("length:4", "length_prefixed"),
            ("length:2le", "length_prefixed"),
            ("fixed:8", "fixed"),
            ("delimiter:\\x00", "delimiter"),
        ] {
            assert_eq!(framing(text).map(|framing| framing.name().to_owned()), Ok(name.to_owned()), "{text}");
        }
        for text in ["", "line", "length", "length:x", "fixed:-1", "delimiter:\\q", "raw:1"] {
            assert!(framing(text).is_err(), "{text}");
        }
    }

    #[test]
    fn probes_are_read() {
        let probes = Keepalive { idle: Duration::from_secs(20), interval: Duration::from_secs(5), retries: 6 };
        assert_eq!(keepalive("20/5s/6"), Ok(Choice::On(probes)));
        assert_eq!(keepalive("off"), Ok(Choice::Off));
        assert!(keepalive("20s").is_err());
        assert!(keepalive("20s/5s/-1").is_err());
    }

    #[test]
    fn steps_of_a_greeting_are_read() {
        let ok = Matcher::Exact("+OK\r\n".into());
        assert_eq!(step("send:HELLO\\r\\n"), Ok(Step::Send("HELLO\r\n".into())));
        assert_eq!(
            step("credentials:AUTH robot {}\\r\\n"),
            Ok(Step::SendCredentials { prefix: "AUTH robot ".into(), suffix: "\r\n".into() })
        );
        assert_eq!(step("expect:+OK\\r\\n"), Ok(Step::Expect(ok)));
        assert_eq!(step("expect:any"), Ok(Step::Expect(Matcher::Any)));
        assert_eq!(step("refused:prefix:-WRONGPASS"), Ok(Step::Refused(Matcher::Prefix("-WRONGPASS".into()))));
        let when = Matcher::Prefix("-BUSY".into());
        let busy = RetryAfter { when, marker: None, otherwise: Duration::from_secs(30) };
        assert_eq!(step("retry-after:30s:prefix:-BUSY"), Ok(Step::RetryAfter(busy)));
        for text in ["", "send", "hello:x", "credentials:AUTH", "credentials:{}{}", "retry-after:30s", "send:\\q"] {
            assert!(step(text).is_err(), "{text}");
        }
    }

    #[test]
    fn weights_are_read() {
        assert_eq!(weight("a.example:4222=3"), Ok(("a.example:4222".to_owned(), 3)));
        assert_eq!(weight("unix:/run/a=b=2"), Ok(("unix:/run/a=b".to_owned(), 2)));
        for text in ["a:1", "a:1=", "a:1=-1", "a:1=x"] {
            assert!(weight(text).is_err(), "{text}");
        }
        assert_eq!(count_or_off("off"), Ok(Choice::Off));
        assert_eq!(count_or_off("3"), Ok(Choice::On(3)));
        assert!(count_or_off("-3").is_err());
    }

    #[test]
    fn matchers_are_read() {
        assert_eq!(matcher("any"), Ok(Matcher::Any));
        assert_eq!(matcher("+PONG\\r\\n"), Ok(Matcher::Exact("+PONG\r\n".into())));
        assert_eq!(matcher("exact:any"), Ok(Matcher::Exact("any".into())));
        assert_eq!(matcher("prefix:OK:"), Ok(Matcher::Prefix("OK:".into())));
    }
}
