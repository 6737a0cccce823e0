#!lua flags=allow-oom
-- Makes the farm's keys of schema 4 unless they exist, or those of an earlier one do: such a farm is drained by its own programs. Run by every new
-- connection, so also where Redis is full: whoever finds no other connection could not commit.
-- KEYS: 1 meta. ARGV: none.
-- Returns the farm's schema: anything but "4" is another program's.
for _, before in ipairs({'1', '2', '3'}) do
  local earlier = redis.call('HGET', (string.gsub(KEYS[1], ':v4:meta$', ':v' .. before .. ':meta')), 'schema')
  if earlier then return earlier end
end
redis.call('HSETNX', KEYS[1], 'schema', '4')
return redis.call('HGET', KEYS[1], 'schema')
