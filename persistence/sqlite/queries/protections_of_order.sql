-- The protection of an entry, or the one that asked for an exit. Values: the order's id.
SELECT * FROM protections WHERE command_id = :id
UNION SELECT * FROM protections WHERE exit_command_id = :id
