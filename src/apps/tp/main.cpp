#include "apps/tp/commands.hpp"

int main(int argc, char** argv) { return tensorpool::apps::tp::run_tp({argv, argv + argc}); }
