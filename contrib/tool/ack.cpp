// bindcast ack: says that somebody has seen to an alert.

#include "plugin/server/messages.hpp"
#include "tool/commands.hpp"
#include "tool/event_line.hpp"
#include "tool/output.hpp"
#include "tool/request.hpp"

namespace bindcast::tool {

void acknowledge(const AckOptions& options) {
  Network network(options.access);
  Json data(json_object()), ids(json_array());
  for (const std::string& id : options.ids) append(ids.get(), json_text(id));
  set_json(data.get(), "ids", std::move(ids));
  if (!options.note.empty()) set(data.get(), "note", options.note);
  const Json answer = ask(network, "acknowledge", data);
  const json_t* said = json_object_get(answer.get(), "data");
  const json_t* done = json_object_get(said, "ids");
  const json_t* errors = json_object_get(said, "errors");
  for (std::size_t i = 0; i < json_array_size(done); ++i)
    print_line(shown(json_array_get(done, i)) + " acknowledged by " + shown(json_object_get(said, "by")));
  for (std::size_t i = 0; i < json_array_size(errors); ++i) {
    const json_t* error = json_array_get(errors, i);
    complain(std::string(text_member(error, "id")) + ": " + std::string(text_member(error, "message")));
  }
  if (json_array_size(errors) != 0) throw Failure(Exit::refused, "not all of it was acknowledged");
}

}  // namespace bindcast::tool
