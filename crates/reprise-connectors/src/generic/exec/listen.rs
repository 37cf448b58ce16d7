//! What a program says while it runs, within limits: messages on its standard
//! output, anything on its standard error.

use std::collections::VecDeque;

use reprise_model::{Fault, Outcome};
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use super::super::resolve::Secrets;
use super::protocol::{Message, parse, shown};

/// A line is one message; a mebibyte of evidence is already too much.
const LINE_BYTES: u64 = 1 << 20;
/// All of standard output: what is kept of it goes into the journal.
const OUTPUT_BYTES: u64 = 4 << 20;
/// Lines of standard error that a fault quotes, and the longest of them.
const ERROR_LINES: usize = 8;
const ERROR_LINE_BYTES: u64 = 4096;

/// Reads both outputs of a program that is not there: for the fuzzer. Returns
/// what the task would keep, and the lines that a fault would quote.
pub async fn hear(
    stdout: impl AsyncRead + Unpin,
    stderr: impl AsyncRead + Unpin,
    secrets: impl IntoIterator<Item = SecretString>,
    progress: impl FnMut(f64),
) -> (Result<Outcome, Fault>, Vec<String>) {
    let secrets = Secrets::of(secrets);
    let (mut outcome, mut errors) = (Outcome::default(), VecDeque::new());
    let heard = listen(stdout, &secrets, progress, &mut outcome).await;
    overhear(stderr, &secrets, &mut errors).await;
    (heard.map(|()| outcome), errors.into())
}

/// Takes messages until the end of the output, or to the first mistake.
pub(super) async fn listen(
    stdout: impl AsyncRead + Unpin,
    secrets: &Secrets,
    mut progress: impl FnMut(f64),
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let mut reader = BufReader::new(stdout);
    let (mut number, mut total) = (0_u64, 0_u64);
    let wrong = |number: u64, what: String| {
        Fault::permanent(format!("standard output, line {number}: {what}"))
    };
    loop {
        let mut bytes = Vec::new();
        let read = (&mut reader)
            .take(LINE_BYTES + 1)
            .read_until(b'\n', &mut bytes)
            .await
            .map_err(|error| Fault::temporary(format!("cannot read its output: {error}")))?;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        total += read as u64;
        if read as u64 > LINE_BYTES {
            return Err(wrong(number, format!("longer than {LINE_BYTES} bytes")));
        }
        if total > OUTPUT_BYTES {
            return Err(wrong(
                number,
                format!("more than {OUTPUT_BYTES} bytes in all"),
            ));
        }
        let line = secrets.veil(&String::from_utf8_lossy(&bytes));
        match parse(line.trim_end()).map_err(|what| wrong(number, what))? {
            Message::Progress(fraction) => progress(fraction),
            Message::Output(mut output) => {
                secrets.veil_map(&mut output);
                outcome.output.extend(output);
            }
            Message::Verdict(mut check) => {
                check.name = secrets.veil(&check.name);
                secrets.veil_value(&mut check.evidence);
                outcome.checks.push(check);
            }
        }
    }
}

/// Keeps the last lines of standard error, of a long one its beginning: the
/// rest as a line of its own could show the second half of a secret.
pub(super) async fn overhear(
    stderr: impl AsyncRead + Unpin,
    secrets: &Secrets,
    errors: &mut VecDeque<String>,
) {
    let mut reader = BufReader::new(stderr);
    let mut goes_on = false;
    loop {
        let mut bytes = Vec::new();
        let read = (&mut reader)
            .take(ERROR_LINE_BYTES)
            .read_until(b'\n', &mut bytes)
            .await;
        if !matches!(read, Ok(1..)) {
            return;
        }
        if std::mem::replace(&mut goes_on, !bytes.ends_with(b"\n")) {
            continue;
        }
        let line = secrets.veil(String::from_utf8_lossy(&bytes).trim_end());
        errors.push_back(shown(&line));
        if errors.len() > ERROR_LINES {
            errors.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(said: &str) -> (Result<Outcome, Fault>, Vec<String>) {
        let secrets = [SecretString::from("hush-hush")];
        let said = said.as_bytes();
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(hear(said, said, secrets, |_| {}))
    }

    #[test]
    fn a_secret_in_any_spelling_is_not_kept() {
        let (outcome, _) = heard(
            "{\"output\":{\"a\":\"\\u0068ush-hush\"}}\n\
             {\"verdict\":\"pass\",\"name\":\"hush\\u002dhush\",\"evidence\":[\"hush-hush\"]}\n",
        );
        let outcome = outcome.unwrap();
        assert_eq!(outcome.output["a"], "***");
        assert_eq!(outcome.checks[0].name, "***");
        assert_eq!(outcome.checks[0].evidence[0], "***");
    }

    #[test]
    fn no_half_of_a_secret_is_quoted_from_a_long_line() {
        let beginning = "x".repeat(usize::try_from(ERROR_LINE_BYTES).unwrap() - 4);
        let (_, lines) = heard(&format!("{beginning}hush-hush\nafter\n"));
        assert_eq!(lines, [&"x".repeat(120), "after"]);
    }
}
