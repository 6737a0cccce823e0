#!lua flags=no-writes
-- A tenant's requests, newest first.
-- KEYS: 1 meta. ARGV: 1 tenant, 2 sequence before which to start, or "+inf", 3 how many at most.
-- Returns {{id, field, value, …}, …}: the fields of the request hash.
--!include farm.lua
local before = ARGV[2] == '+inf' and '+inf' or '(' .. ARGV[2]
local answer = {}
for _, id in ipairs(call('ZRANGE', P .. 'requests:' .. ARGV[1], before, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[3])) do
  local entry = {id}
  for _, value in ipairs(call('HGETALL', P .. 'request:' .. id)) do entry[#entry + 1] = value end
  answer[#answer + 1] = entry
end
return answer
