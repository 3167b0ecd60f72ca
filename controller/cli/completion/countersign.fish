# fish completion for countersign: `countersign completion fish` prints this; what there is to complete says the program itself.

function __countersign_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] "$last" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$last"
            case ':dirs'
                __fish_complete_directories "$last" ''
            case '*'
                echo $line
        end
    end
end

complete -c countersign -f -a '(__countersign_complete)'
