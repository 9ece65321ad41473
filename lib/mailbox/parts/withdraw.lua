-- SPDX-License-Identifier: MIT
--
-- Part of a step: the message at `index` of the list `unacked_key` (from 0) becomes a placeholder, `~`,
-- which `collapse_key` counts. `base` is that of the list as it is now, `bytes` as in record.lua.
-- `withdrawn` is the message; false: there was none. Layouts: KEYS.md.
local withdrawn = redis.call('LINDEX', unacked_key, index)
if withdrawn == '~' then withdrawn = false end
if withdrawn then
  redis.call('LSET', unacked_key, index, '~')
  if bytes then bytes = bytes - #withdrawn + 1 end
  -- (A count for another base is out of date: push.lua counts again if it needs to.)
  local counted_at, count =
    string.match(redis.call('HGET', collapse_key, '') or '', '^(%d+) (%d+)$')
  if not counted_at or counted_at + 0 == base then
    redis.call('HSET', collapse_key, '', string.format('%.0f %.0f', base, (count or 0) + 1))
  end
end
