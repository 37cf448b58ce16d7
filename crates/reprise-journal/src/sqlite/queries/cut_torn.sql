delete from pages
where run = ?1
  and first_seq >= ?3
  and exists (select 1 from runs where id = ?1 and epoch = ?2 and next_seq = ?3)
