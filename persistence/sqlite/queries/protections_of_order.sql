-- The protection of an entry, or the one that asked for an exit. Values: the order's id.
SELECT * FROM protections WHERE command_id = :id
UNION SELECT * FROM protections
    WHERE protection_id IN (SELECT protection_id FROM protection_exits WHERE command_id = :id)
