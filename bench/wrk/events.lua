-- Posts events with different ids and persons. Arguments: the event's file, the run's prefix (8 characters), events per
-- request.
local ID = string.rep("0", 32)
local PERSON = string.rep("0", 7)
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local file = assert(io.open(args[1]))
  local event = file:read("*l")
  file:close()
  local at = assert(event:find(ID, 1, true))
  before = event:sub(1, at - 1) .. args[2] .. string.format("%04d", number)
  after = {}
  local from = at + #ID
  for i = 1, 3 do
    at = assert(event:find(PERSON, from, true))
    after[i] = event:sub(from, at - 1)
    from = at + #PERSON
  end
  after[4] = event:sub(from)
  events = tonumber(args[3])
  count = 0
  local length = #event
  if events > 1 then length = (length + 1) * events + #'{"events":[]}' - 1 end
  head = "POST /api/analytics/tiktok/track HTTP/1.1\r\nhost: shop.example\r\ncontent-type: text/plain\r\ncontent-length: "
    .. length .. "\r\n\r\n"
end

local function one()
  count = count + 1
  local id = string.format("%020d", count)
  local person = id:sub(-#PERSON)
  return before .. id .. after[1] .. person .. after[2] .. person .. after[3] .. person .. after[4]
end

function request()
  if events == 1 then return head .. one() end
  local all = {}
  for i = 1, events do all[i] = one() end
  return head .. '{"events":[' .. table.concat(all, ",") .. "]}"
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format("duet %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), failed.status, failed.connect + failed.read + failed.write + failed.timeout))
end
