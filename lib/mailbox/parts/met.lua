-- SPDX-License-Identifier: MIT
--
-- Part of a step: `met` is an error that was met with KEYS[first] to KEYS[last]. If one of these
-- is of a wrong type, the error becomes one that names it.
met = type(met) == 'table' and met or {err = met} -- (a table since Redis 7, a text before)
if string.find(met.err, 'WRONGTYPE', 1, true) then
  local kinds = {base = 'string', unacked = 'list', mailbox = 'list', clients = 'hash',
    collapse = 'hash', tokens = 'hash', standing = 'hash', scheduled = 'hash', pushed = 'string'}
  for i = first, last do
    local kind, found = nil, redis.call('TYPE', KEYS[i]).ok
    for name, its_kind in pairs(kinds) do
      if string.find(KEYS[i], name .. ':{', 1, true) then kind = its_kind end
    end
    if kind and found ~= kind and found ~= 'none' then
      met = {err = string.format('BROKEN %s is a %s, not a %s', KEYS[i], found, kind)}
      break
    end
  end
end
