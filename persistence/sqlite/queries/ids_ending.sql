-- Orders whose id, or whose alert's, ends with a text. Values: id, ends (JSON: the ends of alerts' ids, read backwards).
-- CROSS JOIN: the few ends are read first, and each is searched in the index.
SELECT command_id FROM json_each(:ends) AS ends CROSS JOIN orders
    ON {backwards} >= ends.value AND {backwards} < ends.value || {last}
WHERE substr(command_id, -length(:id)) = :id OR substr(alert_id, -length(:id)) = :id
