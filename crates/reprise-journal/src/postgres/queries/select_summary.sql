select runs.next_seq as journal_at, summaries.next_seq, summaries.at_us, summaries.body
from runs
left join summaries on summaries.run = runs.id
where runs.id = $1
