// bindcast config: what is configured, as the server has it in force.

#include "plugin/server/messages.hpp"
#include "tool/api.hpp"
#include "tool/commands.hpp"
#include "tool/output.hpp"
#include "tool/safe_text.hpp"

namespace bindcast::tool {

namespace {

// "auth.tokens" holds "auth.tokens[job].roles".
bool inside(std::string_view path, std::string_view key) {
  return path.starts_with(key) && (path.size() == key.size() || path[key.size()] == '.' || path[key.size()] == '[');
}

void print_option(const json_t* option) {
  const json_t* fallback = json_object_get(option, "default");
  std::string line = safe_text(text_member(option, "path")) + ": " + safe_text(text_member(option, "value"));
  if (json_is_true(json_object_get(option, "differs")) && fallback != nullptr)
    line += "  # default: " + safe_text(text_of(fallback));
  print_line(line);
}

}  // namespace

void print_configuration(const ConfigOptions& options) {
  Network network(options.access);
  const std::string body = get(network, "/api/v1/configuration");
  json_error_t fault;
  const Json answer = parse_json(body, 0, fault);
  const json_t* list = json_object_get(answer.get(), "options");
  if (!json_is_array(list))
    throw Failure(Exit::refused, network.server().url + ": the answer is no configuration: " + fault.text);
  if (options.json) {
    print_json(body);
    return;
  }
  const std::string_view file = text_member(answer.get(), "file");
  print_line(file.empty() ? "# no file is named in named.conf: all defaults"
                          : "# " + safe_text(file) + ", read at " + safe_text(text_member(answer.get(), "read_at")));
  std::size_t found = 0;
  for (std::size_t i = 0; i < json_array_size(list); ++i) {
    const json_t* option = json_array_get(list, i);
    if (!options.key.empty() && !inside(text_member(option, "path"), options.key)) continue;
    ++found;
    if (!options.changed || json_is_true(json_object_get(option, "differs"))) print_option(option);
  }
  if (found == 0) throw Failure(Exit::refused, safe_text(options.key) + ": there is no such option");
  const json_int_t left_out = json_integer_value(json_object_get(answer.get(), "left_out"));
  if (left_out != 0) complain(std::to_string(left_out) + " more values of entries are not told");
}

}  // namespace bindcast::tool
