//! What a recovering server says in its log.

use reprise_model::Timestamp;

use super::zone;

/// The first commit or abort that was left out because it is after the target.
pub fn first_after(log: &str) -> Option<Timestamp> {
    log.lines().rev().find_map(|line| {
        let rest = line.split_once("recovery stopping before ")?.1;
        zone::parse(rest.split_once(", time ")?.1)
    })
}

/// Settings that the primary had raised in the stretch of log, with their
/// values there.
pub fn raised_limits(log: &str) -> Vec<(String, String)> {
    log.lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(
                " is a lower setting than on the primary server, where its value was ",
            )?;
            let assignment = before.rsplit_once(": ").map_or(before, |(_, rest)| rest);
            let name = assignment.trim().split_once(" = ")?.0;
            let value: String = after.chars().take_while(char::is_ascii_digit).collect();
            Some((name.to_owned(), value))
        })
        .collect()
}

/// The FATAL and PANIC lines, without time and process number.
pub fn fatals(log: &str) -> Vec<String> {
    log.lines()
        .filter_map(|line| {
            let at = line.find("FATAL:  ").or_else(|| line.find("PANIC:  "))?;
            Some(line[at + 8..].to_owned())
        })
        // Connections of ours that came too early.
        .filter(|line| !line.starts_with("the database system is"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_commit_after_the_target_is_found() {
        let log = "2026-11-22 12:00:00.000 UTC [1] LOG:  recovery stopping before commit of transaction 742, time 2026-11-22 12:30:36.306454+00\n\
                   2026-11-22 12:00:00.001 UTC [1] LOG:  pausing at the end of recovery\n";
        assert_eq!(
            first_after(log).unwrap().to_string(),
            "2026-11-22T12:30:36.306454Z"
        );
        assert_eq!(first_after("nothing here"), None);
    }

    #[test]
    fn raised_limits_are_read_from_both_wordings() {
        let log = "x [1] DETAIL:  max_connections = 20 is a lower setting than on the primary server, where its value was 50.\n\
                   x [1] FATAL:  recovery aborted because of insufficient parameter settings\n";
        assert_eq!(
            raised_limits(log),
            [("max_connections".to_owned(), "50".to_owned())]
        );
    }

    #[test]
    fn only_fatal_lines_that_say_why_are_kept() {
        let log = "a UTC [1] FATAL:  the database system is starting up\n\
                   b UTC [1] FATAL:  requested recovery stop point is before consistent recovery point\n";
        assert_eq!(
            fatals(log),
            ["requested recovery stop point is before consistent recovery point"]
        );
    }
}
