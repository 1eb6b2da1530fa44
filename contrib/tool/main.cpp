// The command line: which options there are. Everything else is in the commands.

#include <CLI/CLI.hpp>

#include "plugin/version.hpp"
#include "tool/commands.hpp"
#include "tool/network.hpp"
#include "tool/output.hpp"
#include "tool/selection.hpp"

namespace bindcast::tool {

namespace {

constexpr const char* kPriorities[] = {"low", "normal", "high", "critical", "urgent"};
constexpr const char* kSeverities[] = {"debug", "info", "warning", "error", "critical"};

CLI::App& add_command(CLI::App& app, const char* name, const char* what) {
  CLI::App& command = *app.add_subcommand(name, what);
  command.set_help_flag("-h,--help", "Say what the command does, and end");
  return command;
}

void add_access(CLI::App& command, Access& access) {
  command.add_option("--url", access.url, "Where the server is: ws://host:port, wss://host:port or unix:/path")
      ->type_name("URL");
  command.add_option("--token-file", access.token_file, "The file whose first line is the token")->type_name("FILE");
  command.add_option("--cacert", access.ca_file, "Trust the authorities in this PEM file, for wss://")
      ->type_name("FILE");
  command.add_flag("--insecure", access.insecure,
                   "Ask for no valid certificate; send the token unencrypted if need be");
}

void add_selection(CLI::App& command, Selection& selection) {
  command.add_option("-f,--filter", selection.filter, "Only events that match this expression")->type_name("EXPR");
  command.add_option("-t,--type", selection.types, "Only events of this type; may be repeated")
      ->type_name("TYPE")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("-c,--category", selection.categories, "Only events of this category; may be repeated")
      ->type_name("CATEGORY")
      ->delimiter(',')
      ->allow_extra_args(false);
}

void add_priority(CLI::App& command, const char* name, std::string& priority, const char* what) {
  command.add_option(name, priority, what)
      ->type_name("PRIORITY")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kPriorities), std::end(kPriorities))));
}

void add_severity(CLI::App& command, const char* name, std::string& severity, const char* what) {
  command.add_option(name, severity, what)
      ->type_name("SEVERITY")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kSeverities), std::end(kSeverities))));
}

void add_roles(CLI::App& command, std::vector<std::string>& roles) {
  command.add_option("--role", roles, "What the holder may do; may be repeated")
      ->type_name("ROLE")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
}

void add_tail(CLI::App& app) {
  CLI::App& command = add_command(app, "tail", "Show events as they happen");
  auto options = std::make_shared<TailOptions>();
  add_access(command, options->access);
  add_selection(command, options->selection);
  add_priority(command, "--min-priority", options->min_priority, "Only events of this priority or above");
  add_severity(command, "--min-severity", options->min_severity, "Only events of this severity or above");
  command
      .add_option("--since", options->since,
                  "First what came after this id; last: where the last such tail ended; "
                  "start: all that the server remembers")
      ->type_name("ID|last|start");
  command.add_option("--sample", options->sample, "Only one event in N")->type_name("N")->check(CLI::Range(1, 1000000));
  command.add_option("-n,--count", options->count, "End after N events")->type_name("N");
  command.add_option("--for", options->seconds, "End after so many seconds")->type_name("SECONDS");
  command.add_option("--label", options->label, "Put this before each line")->type_name("TEXT");
  command.add_flag("--json", options->json, "Write events as JSON lines, as the server sends them");
  command.add_flag("--no-color", options->no_color, "No colours, on a terminal either");
  command.callback([options] {
    check_selection(options->selection);
    tail(*options);
  });
}

void add_history(CLI::App& app) {
  CLI::App& command = add_command(app, "history", "Show events of the past, as far as the server keeps them");
  auto options = std::make_shared<HistoryOptions>();
  add_access(command, options->access);
  add_selection(command, options->selection);
  command.add_option("--since", options->since, "Only what came after this id, or from this time on")
      ->type_name("ID|TIME");
  command.add_option("--until", options->until, "Only what came up to this id, or before this time")
      ->type_name("ID|TIME");
  command.add_option("--order", options->order, "Which come first: newest, or oldest")
      ->type_name("ORDER")
      ->check(CLI::IsMember({"newest", "oldest"}));
  command.add_option("-n,--limit", options->limit, "At most so many")->type_name("N")->capture_default_str();
  command.add_flag("--json", options->json, "Write events as JSON lines, as the server sends them");
  command.add_flag("--no-color", options->no_color, "No colours, on a terminal either");
  command.callback([options] {
    check_selection(options->selection);
    history(*options);
  });
}

void add_emit(CLI::App& app) {
  CLI::App& command = add_command(app, "emit", "Publish an event, and print its id");
  auto options = std::make_shared<EmitOptions>();
  add_access(command, options->access);
  command.add_option("type", options->type, "Its type, or - for events from standard input, one as JSON each line")
      ->type_name("TYPE")
      ->required();
  command.add_option("data", options->members, "Its data: key=text, or key:=JSON")->type_name("KEY=VALUE");
  command.add_option("--data", options->data, "Its data, as a JSON object")->type_name("JSON");
  command.add_option("--id", options->id, "An id of your own: to say the same again does no harm")->type_name("ID");
  add_priority(command, "--priority", options->priority, "Instead of the type's own");
  add_severity(command, "--severity", options->severity, "Instead of the type's own");
  command.add_option("--correlation-id", options->correlation_id, "What it belongs together with")->type_name("ID");
  command.add_flag("--json", options->json, "Print the server's whole answer, as JSON");
  command.callback([options] { emit(*options); });
}

void add_login(CLI::App& app) {
  CLI::App& command = add_command(app, "login", "Begin a session with a password, for the commands to come");
  auto options = std::make_shared<LoginOptions>();
  add_access(command, options->access);
  command.add_option("user", options->user, "The user's name")->type_name("USER")->required();
  command.callback([options] { login(*options); });
  CLI::App& end = add_command(app, "logout", "End that session");
  add_access(end, options->access);
  end.callback([options] { logout(*options); });
}

void add_status(CLI::App& app) {
  CLI::App& command = add_command(app, "status", "Say how the server is");
  auto options = std::make_shared<StatusOptions>();
  add_access(command, options->access);
  command.add_flag("--json", options->json, "Write it as JSON, as the server sends it");
  command.callback([options] { status(*options); });
}

void add_top(CLI::App& app) {
  CLI::App& command = add_command(app, "top", "Show what named is doing, each second anew; q quits");
  auto options = std::make_shared<TopOptions>();
  add_access(command, options->access);
  command.add_option("--for", options->seconds, "End after so many seconds")->type_name("SECONDS");
  command.callback([options] { top(*options); });
}

void add_acknowledge(CLI::App& app) {
  CLI::App& command = add_command(app, "ack", "Acknowledge alerts, so that they are not sent again");
  auto options = std::make_shared<AckOptions>();
  add_access(command, options->access);
  command.add_option("id", options->ids, "Ids of the events")->type_name("ID")->required();
  command.add_option("--note", options->note, "What the others shall know about it")->type_name("TEXT");
  command.callback([options] { acknowledge(*options); });
}

void add_config(CLI::App& app) {
  CLI::App& command = add_command(app, "config", "Show the configuration that is in force");
  auto options = std::make_shared<ConfigOptions>();
  add_access(command, options->access);
  CLI::Option* key = command.add_option("key", options->key, "Only this option, or those below it")->type_name("KEY");
  CLI::Option* changed = command.add_flag("--changed", options->changed, "Only what differs from the default");
  command.add_flag("--json", options->json, "Write all of it as JSON, as the server sends it")
      ->excludes(key)
      ->excludes(changed);
  command.callback([options] { print_configuration(*options); });
}

void add_types(CLI::App& app) {
  add_command(app, "types", "List the types of events: category, priority, severity, when").callback(list_types);
}

void add_check(CLI::App& app) {
  CLI::App& command = add_command(app, "check", "Check a configuration, as named-checkconf does");
  auto file = std::make_shared<std::string>();
  command.add_option("file", *file, "The configuration in YAML")->type_name("FILE")->required();
  command.callback([file] { check(*file); });
}

void add_passwd(CLI::App& app) {
  CLI::App& command = add_command(app, "passwd", "Make a password's hash, for auth.users of the configuration");
  auto options = std::make_shared<NewPasswordOptions>(NewPasswordOptions{.user = "NAME", .roles = {"viewer"}});
  command.add_option("--user", options->user, "The user's name")->type_name("NAME")->capture_default_str();
  add_roles(command, options->roles);
  command.callback([options] { make_password(*options); });
}

void add_token(CLI::App& app) {
  CLI::App& command = add_command(app, "token", "Make a token and its hash, for auth.tokens of the configuration");
  auto options = std::make_shared<NewTokenOptions>(NewTokenOptions{.name = "NAME", .roles = {"viewer"}});
  command.add_option("--name", options->name, "Who holds the token")->type_name("NAME")->capture_default_str();
  add_roles(command, options->roles);
  command.callback([options] { make_token(*options); });
}

int run(int argc, char** argv) {
  CLI::App app("Watches and tends Bindcast, the event stream of BIND 9's named", "bindcast");
  app.set_help_flag("-h,--help", "Say which commands there are, and end");
  app.set_version_flag("--version", std::string("bindcast ") + std::string(kVersion));
  app.require_subcommand(1);
  add_tail(app);
  add_history(app);
  add_emit(app);
  add_status(app);
  add_top(app);
  add_acknowledge(app);
  add_config(app);
  add_login(app);
  add_types(app);
  add_check(app);
  add_passwd(app);
  add_token(app);
  try {
    take_signals();
    app.parse(argc, argv);
    flush();
  } catch (const CLI::Success& wanted) {  // --help, --version
    app.exit(wanted);
  } catch (const CLI::ParseError& fault) {
    complain(fault.what());
    return static_cast<int>(Exit::usage);
  } catch (const Failure& failure) {
    try {
      flush();
    } catch (...) {  // there is a better reason already
    }
    complain(failure.what());
    return static_cast<int>(failure.code);
  } catch (const OutputClosed&) {
  }
  return static_cast<int>(Exit::ok);
}

}  // namespace

}  // namespace bindcast::tool

int main(int argc, char** argv) {
  return bindcast::tool::run(argc, argv);
}
